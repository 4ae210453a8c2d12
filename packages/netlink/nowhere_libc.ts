// A kernel that agrees to every request, and does nothing.
import type { Libc } from './libc.ts';
import { NLM_F, NLMSG } from './uapi.ts';

const HEADER_BYTES = 16;
/** struct nlmsgerr: an errno, and the header of the request. */
const ANSWER_BYTES = HEADER_BYTES + 4 + HEADER_BYTES;
const EAGAIN = 11;

/** Acknowledges what asks for it; every table is empty. Nobody else's sockets are there. */
export class NowhereLibc implements Libc {
  readonly #answers: Uint8Array[] = [];

  socket = (): number => 1;
  bind = (): number => 0;
  connect = (): number => 0;
  listen = (): number => 0;
  setsockopt = (): number => 0;
  setsockoptBytes = (): number => 0;
  attachFilter = (): number => 0;
  close = (): number => 0;
  setns = (): number => 0;
  eventfd = (): number => 1;
  eventfdRead = (): number => 0;
  eventfdWrite = (): number => 0;
  recvFrom = (): number => -1;
  interfaceIndex = (): number => 0;
  poll = (): number => this.#answers.length;
  errno = (): number => EAGAIN;

  send(_fd: number, bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += (view.getUint32(at, true) + 3) & ~3) {
      const flags = view.getUint16(at + 6, true);
      const sequence = view.getUint32(at + 8, true);
      if ((flags & NLM_F.DUMP) === NLM_F.DUMP) this.#answers.push(answer(NLMSG.DONE, sequence));
      else if ((flags & NLM_F.ACK) !== 0) this.#answers.push(answer(NLMSG.ERROR, sequence));
    }
    return bytes.length;
  }

  sendAsync(
    fd: number,
    datagrams: readonly Uint8Array[],
    _flags: number,
    done: (sent: number) => void,
  ): void {
    queueMicrotask(() => {
      for (const bytes of datagrams) this.send(fd, bytes);
      done(datagrams.length);
    });
  }

  recv(_fd: number, buffer: Uint8Array): number {
    const bytes = this.#answers.shift();
    if (bytes === undefined) return -1;
    buffer.set(bytes);
    return bytes.length;
  }

  pollAsync(_fds: Uint8Array, _timeoutMs: number, done: (ready: number) => void): void {
    queueMicrotask(() => done(this.#answers.length));
  }
}

function answer(type: number, sequence: number): Uint8Array {
  const bytes = new Uint8Array(ANSWER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ANSWER_BYTES, true);
  view.setUint16(4, type, true);
  view.setUint32(8, sequence, true);
  return bytes;
}
