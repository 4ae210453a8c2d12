// Waits for readable sockets:  poll(2) on one thread of the pool → callbacks on ours → poll(2) again.
import { type Libc, systemCallError, systemLibc } from '@calico/netlink';

const EFD_CLOEXEC_NONBLOCK = 0x80800;
const POLLIN = 1;
const POLL_FD_BYTES = 8;
/** The longest that a process which ends without close() waits for the pool's thread. */
const POLL_MS = 1_000;

/** What a pool thread reads at this moment must not be collected. */
const inUse = new Set<Poller>();

/** Keeps the process alive until closed. */
export class Poller {
  readonly #libc: Libc;
  readonly #wake: number;
  readonly #readers = new Map<number, () => void>();
  readonly #released = Promise.withResolvers<void>();
  #pollFds = new Uint8Array(0);
  #isPolling = false;
  #isClosed = false;

  /** @throws NetlinkError */
  constructor(libc: Libc = systemLibc()) {
    this.#libc = libc;
    this.#wake = libc.eventfd(0, EFD_CLOEXEC_NONBLOCK);
    if (this.#wake < 0) throw systemCallError('open eventfd', libc.errno());
    this.#poll();
  }

  /** The callback has to read until nothing is left. */
  add(fd: number, onReadable: () => void): void {
    this.#readers.set(fd, onReadable);
    this.#libc.eventfdWrite(this.#wake);
  }

  /** Before the descriptor is closed. */
  remove(fd: number): void {
    this.#readers.delete(fd);
    this.#libc.eventfdWrite(this.#wake);
  }

  /** Settles when no thread uses the poller's memory any more. */
  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#isPolling) this.#libc.eventfdWrite(this.#wake);
    else this.#release();
    return this.#released.promise;
  }

  #poll(): void {
    const fds = [this.#wake, ...this.#readers.keys()];
    this.#pollFds = new Uint8Array(fds.length * POLL_FD_BYTES);
    const view = new DataView(this.#pollFds.buffer);
    for (const [index, fd] of fds.entries()) {
      view.setInt32(index * POLL_FD_BYTES, fd, true);
      view.setInt16(index * POLL_FD_BYTES + 4, POLLIN, true);
    }
    this.#isPolling = true;
    inUse.add(this);
    this.#libc.pollAsync(this.#pollFds, POLL_MS, () => this.#polled());
  }

  #polled(): void {
    this.#isPolling = false;
    inUse.delete(this);
    const view = new DataView(this.#pollFds.buffer);
    for (let at = 0; at < view.byteLength && !this.#isClosed; at += POLL_FD_BYTES) {
      if (view.getInt16(at + 6, true) === 0) continue;
      const fd = view.getInt32(at, true);
      if (fd === this.#wake) this.#libc.eventfdRead(fd);
      else this.#readers.get(fd)?.();
    }
    if (this.#isClosed) this.#release();
    else this.#poll();
  }

  #release(): void {
    if (this.#pollFds.length === 0) return;
    this.#pollFds = new Uint8Array(0);
    this.#libc.close(this.#wake);
    this.#released.resolve();
  }
}
