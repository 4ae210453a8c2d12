import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetlinkError } from './errors.ts';
import { FakeLibc } from './fake_libc.ts';
import { NetlinkSocket } from './netlink_socket.ts';
import { SocketWatch } from './socket_watch.ts';

function watch(libc: FakeLibc): { readonly watch: SocketWatch; readonly said: string[] } {
  const said: string[] = [];
  const made = new SocketWatch({
    libc,
    socket: new NetlinkSocket(libc),
    onReadable: () => said.push('readable'),
    onReleased: () => said.push('released'),
  });
  return { watch: made, said };
}

test('wait() announces once; a watch that waits is not told again to wait', () => {
  const libc = new FakeLibc();
  const { watch: one, said } = watch(libc);
  assert.equal(libc.isPolled, false);
  one.wait();
  one.wait();
  libc.wake();
  assert.deepEqual([said, libc.isPolled], [['readable'], false]);
  one.close();
});

test('close() gives up everything at once unless a thread waits; then when it has come back', () => {
  const libc = new FakeLibc();
  const { watch: idle, said } = watch(libc);
  idle.close();
  idle.wait();
  assert.deepEqual([said, libc.closed, libc.isPolled], [['released'], [3, 4], false]);

  const { watch: waiting, said: later } = watch(libc);
  libc.eventfdWrite = () => 0;
  waiting.wait();
  waiting.close();
  waiting.close();
  assert.deepEqual([later, libc.closed], [[], [3, 4]]);
  libc.wake();
  assert.deepEqual([later, libc.closed], [['released'], [3, 4, 5, 6]]);
});

test('without an eventfd the socket is closed', () => {
  const libc = new FakeLibc();
  libc.eventfd = () => -1;
  libc.errno = () => 24;
  assert.throws(() => watch(libc), new NetlinkError('EMFILE', 'Cannot open eventfd: EMFILE'));
  assert.deepEqual(libc.closed, [3]);
});
