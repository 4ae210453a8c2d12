// A kernel that answers what the test says. For tests only.
import type { Libc } from './libc.ts';

export type Step = { readonly bytes: Uint8Array } | { readonly errno: number };

export class FakeLibc implements Libc {
  /** What recv(2) gives, in order; then EAGAIN. */
  readonly queue: Step[] = [];
  /** Errors that send(2) gives first. */
  readonly sendErrors: number[] = [];
  readonly sent: Uint8Array[] = [];
  readonly closed: number[] = [];
  readonly filters: Uint8Array[] = [];
  /** What a poll(2) that waits brings. */
  readonly late: Step[] = [];
  /** Called with each sent datagram; its answers go to the queue. */
  answer: (bytes: Uint8Array) => Step[] = () => [];
  readonly #sending: (() => void)[] = [];
  #errno = 0;
  #nextFd = 3;
  #poll: ((ready: number) => void) | undefined;

  socket(): number {
    return this.#nextFd++;
  }

  bind(): number {
    return 0;
  }

  connect(): number {
    return 0;
  }

  listen(): number {
    return 0;
  }

  setsockopt(): number {
    return 0;
  }

  setsockoptBytes(): number {
    return 0;
  }

  setns(): number {
    return 0;
  }

  interfaceIndex(): number {
    return 0;
  }

  eventfd(): number {
    return this.#nextFd++;
  }

  eventfdRead(): number {
    return 0;
  }

  eventfdWrite(): number {
    this.wake();
    return 0;
  }

  send(_fd: number, bytes: Uint8Array): number {
    const errno = this.sendErrors.shift();
    if (errno !== undefined) return this.#fail(errno);
    const copy = bytes.slice();
    this.sent.push(copy);
    this.queue.push(...this.answer(copy));
    return bytes.length;
  }

  sendAsync(
    fd: number,
    datagrams: readonly Uint8Array[],
    _flags: number,
    done: (sent: number) => void,
  ): void {
    this.#sending.push(() => {
      const failed = datagrams.findIndex((bytes) => this.send(fd, bytes) < 0);
      // Only a failure of the first is told.
      done(failed < 0 ? datagrams.length : failed === 0 ? -1 : failed);
    });
  }

  /** Carries out what asynchronous sends have asked for. */
  finishSends(): void {
    for (const each of this.#sending.splice(0)) each();
  }

  attachFilter(_fd: number, program: Uint8Array): number {
    this.filters.push(program);
    return 0;
  }

  recv(_fd: number, buffer: Uint8Array): number {
    const step = this.queue.shift();
    if (step === undefined) return this.#fail(11);
    if ('errno' in step) return this.#fail(step.errno);
    buffer.set(step.bytes.subarray(0, buffer.length));
    return step.bytes.length;
  }

  recvFrom(fd: number, buffer: Uint8Array): number {
    return this.recv(fd, buffer);
  }

  close(fd: number): number {
    this.closed.push(fd);
    return 0;
  }

  poll(): number {
    this.queue.push(...this.late.splice(0, 1));
    return this.queue.length;
  }

  pollAsync(_fds: Uint8Array, _timeoutMs: number, done: (ready: number) => void): void {
    this.#poll = done;
  }

  get isPolled(): boolean {
    return this.#poll !== undefined;
  }

  /** Ends the poll(2) under way. */
  wake(): void {
    const done = this.#poll;
    this.#poll = undefined;
    done?.(1);
  }

  errno(): number {
    return this.#errno;
  }

  #fail(errno: number): number {
    this.#errno = errno;
    return -1;
  }
}

/** One message with its header. */
export function messageBytes(
  type: number,
  flags: number,
  sequence: number,
  bodyHex: string,
): Uint8Array {
  const body = Buffer.from(bodyHex, 'hex');
  const bytes = new Uint8Array((16 + body.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 16 + body.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(body, 16);
  return bytes;
}
