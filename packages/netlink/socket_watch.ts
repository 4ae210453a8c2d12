// Waits until a netlink socket can be read:  poll(2) on a thread of the pool → callback on ours. An eventfd,
// which is polled beside the socket, ends the wait.
import { systemCallError } from './errors.ts';
import type { Libc } from './libc.ts';
import type { NetlinkSocket } from './netlink_socket.ts';

const EFD_CLOEXEC_NONBLOCK = 0x80800;
const POLLIN = 1;

/** What a pool thread reads at this moment must not be collected. */
const inUse = new Set<SocketWatch>();

// The end of a process waits for its pool threads, also after an exception: one in poll(2) would hold it for ever.
process.on('exit', () => {
  for (const watch of inUse) watch.close();
});

export type SocketWatchOptions = {
  readonly libc: Libc;
  /** Belongs to the watch, which closes it. */
  readonly socket: NetlinkSocket;
  /** Takes off the socket what it can; wait() to be called again. */
  readonly onReadable: () => void;
  /** After close(), when no thread uses anything of the watch any more; the socket is closed by then. */
  readonly onReleased?: () => void;
};

/** Keeps the process alive while it waits. */
export class SocketWatch {
  readonly #options: SocketWatchOptions;
  readonly #wake: number;
  readonly #pollFds = new Uint8Array(new ArrayBuffer(16));
  #isWaiting = false;
  #isClosed = false;

  /** @throws NetlinkError: there is no eventfd to be had; the socket is closed */
  constructor(options: SocketWatchOptions) {
    const { libc, socket } = options;
    this.#options = options;
    this.#wake = libc.eventfd(0, EFD_CLOEXEC_NONBLOCK);
    if (this.#wake < 0) {
      const failure = systemCallError('open eventfd', libc.errno());
      socket.close();
      throw failure;
    }
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Calls onReadable once, as soon as there is something to receive. Nothing while it waits already, and after close(). */
  wait(): void {
    if (this.#isWaiting || this.#isClosed) return;
    const { libc, socket } = this.#options;
    const view = new DataView(this.#pollFds.buffer);
    view.setInt32(0, socket.fd, true);
    view.setInt16(4, POLLIN, true);
    view.setInt32(8, this.#wake, true);
    view.setInt16(12, POLLIN, true);
    this.#isWaiting = true;
    inUse.add(this);
    libc.pollAsync(this.#pollFds, -1, () => this.#polled());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isWaiting) this.#options.libc.eventfdWrite(this.#wake);
    else this.#release();
  }

  #polled(): void {
    this.#isWaiting = false;
    inUse.delete(this);
    if (this.#isClosed) this.#release();
    else this.#options.onReadable();
  }

  #release(): void {
    this.#options.socket.close();
    this.#options.libc.close(this.#wake);
    this.#options.onReleased?.();
  }
}
