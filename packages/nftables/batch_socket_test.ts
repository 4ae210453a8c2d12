// Kernels differ in what they answer to the end of a batch; a kernel is played here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Libc, MessageCursor, MessageWriter } from '@calico/netlink';
import { BatchSocket } from './batch_socket.ts';
import type { Transaction } from './ruleset.ts';
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NLM_F, NLMSG_ERROR } from './uapi.ts';

type Kernel = {
  /** Before 6.10: begin and end of a batch are never acknowledged. */
  readonly isOld: boolean;
  /** Refuses the messages with these numbers. */
  readonly refused?: readonly number[];
  /** Its answers did not fit into the queue. */
  readonly isDeaf?: boolean;
};

const EPERM = 1;
const EAGAIN = 11;

function socketOf({ isOld, refused = [], isDeaf = false }: Kernel): BatchSocket {
  const queue: Uint8Array[] = [];
  const libc = {
    socket: () => 3,
    bind: () => 0,
    setsockopt: () => 0,
    send: (_fd: number, bytes: Uint8Array) => {
      for (const { flags, sequence, type } of headersOf(bytes)) {
        const isMark = type === NFNL_MSG_BATCH_BEGIN || type === NFNL_MSG_BATCH_END;
        const isAsked = (flags & NLM_F.ACK) !== 0 && !(isMark && isOld);
        const errno = refused.includes(sequence) ? EPERM : 0;
        if (!isDeaf && (isAsked || errno !== 0)) queue.push(answer(sequence, errno));
      }
      return bytes.length;
    },
    recv: (_fd: number, buffer: Uint8Array) => {
      const next = queue.shift();
      if (next === undefined) return -1;
      buffer.set(next);
      return next.length;
    },
    errno: () => EAGAIN,
  };
  return new BatchSocket(libc as unknown as Libc);
}

function headersOf(bytes: Uint8Array): { flags: number; sequence: number; type: number }[] {
  const message = new MessageCursor(bytes);
  const headers = [];
  while (message.next()) {
    const { flags, sequence, type } = message;
    headers.push({ flags, sequence, type });
  }
  return headers;
}

function answer(sequence: number, errno: number): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(NLMSG_ERROR, 0, sequence).u32(-errno >>> 0);
  return writer.end().bytes.slice();
}

const TWO: Transaction = [{ kind: 'add-table' }, { kind: 'delete-chain', name: 'a/b' }];

const told = (...numbers: number[]) =>
  [...socketOf({ isOld: true, refused: numbers }).refused('calico', TWO)].map(
    ([command, reason]) => [command.kind, reason],
  );

test('what would be refused is told of each command, and the impossible one is expected', () => {
  assert.deepEqual(told(4), []);
  assert.deepEqual(told(2, 3, 4), [
    ['add-table', 'EPERM'],
    ['delete-chain', 'EPERM'],
  ]);
  assert.throws(() => told(1), { message: 'Cannot ask nf_tables: EPERM' });
  assert.throws(() => told(), /answer of the kernel was lost/);
});

for (const isOld of [true, false]) {
  const kernel = isOld ? 'a kernel before 6.10' : 'a kernel of 6.10 or later';
  test(`${kernel}: a commit is answered`, () => {
    assert.equal(socketOf({ isOld }).commit('calico', TWO), true);
  });

  test(`${kernel}: a command that is refused is named`, () => {
    const refusal = /^Cannot add table inet calico: EPERM$/;
    assert.throws(() => socketOf({ isOld, refused: [2] }).commit('calico', TWO), {
      message: refusal,
    });
    assert.throws(() => socketOf({ isOld, refused: [3] }).commit('calico', TWO), {
      message: /^Cannot delete chain inet calico a\/b: EPERM$/,
    });
  });

  test(`${kernel}: a lost answer is no success`, () => {
    assert.throws(() => socketOf({ isOld, isDeaf: true }).commit('calico', TWO), {
      message: /answer of the kernel was lost/,
    });
  });
}
