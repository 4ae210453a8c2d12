// Multicast events of one namespace:  poll(2) on a pool thread → synchronous drain → queue → consumer.
// While the queue is full nothing is drained; the kernel's buffer then holds the events, and when that
// overflows too it says so (ENOBUFS), which the consumer sees as 'overrun'.
import { errnoName, NetlinkDecodeError, NetlinkError } from './errors.ts';
import { decodeEvent } from './event_codec.ts';
import type { Libc } from './libc.ts';
import { MessageCursor } from './message_reader.ts';
import { NetlinkSocket } from './netlink_socket.ts';
import type { Monitor, MonitorEvent, MonitorGroup } from './types.ts';
import { RTNLGRP } from './uapi.ts';

const EFD_CLOEXEC_NONBLOCK = 0x80800;
const POLLIN = 1;
const QUEUE_LIMIT = 16_384;
const DEFAULT_BUFFER_BYTES = 8 * 1024 * 1024;

/** What a pool thread reads at this moment must not be collected. */
const inUse = new Set<NetlinkMonitor>();

// The end of a process waits for its pool threads, also after an exception: one in poll(2) would hold it for ever.
process.on('exit', () => {
  for (const monitor of inUse) monitor.close();
});

export type MonitorOptions = {
  readonly receiveBufferBytes?: number | undefined;
  /** What this socket of the process does is not told: see Batch.portId. */
  readonly exceptPort?: number | undefined;
};

export class NetlinkMonitor implements Monitor {
  readonly #libc: Libc;
  readonly #socket: NetlinkSocket;
  readonly #wake: number;
  readonly #pollFds = new Uint8Array(new ArrayBuffer(16));
  readonly #queue: MonitorEvent[] = [];
  #head = 0;
  readonly #waiting: PromiseWithResolvers<IteratorResult<MonitorEvent>>[] = [];
  readonly #released = Promise.withResolvers<void>();
  #failure: unknown;
  #isPolling = false;
  #isClosed = false;

  constructor(
    libc: Libc,
    groups: readonly MonitorGroup[],
    { receiveBufferBytes, exceptPort }: MonitorOptions = {},
  ) {
    this.#libc = libc;
    const mask = groups.reduce((bits, group) => bits | (1 << (RTNLGRP[group] - 1)), 0);
    this.#socket = new NetlinkSocket(libc, {
      groups: mask,
      receiveBufferBytes: receiveBufferBytes ?? DEFAULT_BUFFER_BYTES,
    });
    if (exceptPort !== undefined) this.#socket.ignore(exceptPort);
    this.#wake = libc.eventfd(0, EFD_CLOEXEC_NONBLOCK);
    if (this.#wake < 0) {
      const code = errnoName(libc.errno());
      this.#socket.close();
      throw new NetlinkError(code, `Cannot open eventfd: ${code}`);
    }
    this.#poll();
  }

  [Symbol.asyncIterator](): AsyncIterator<MonitorEvent> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        return this.#ended();
      },
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#isPolling) this.#libc.eventfdWrite(this.#wake);
    else this.#release();
  }

  #next(): Promise<IteratorResult<MonitorEvent>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const event = this.#take();
    if (event) return Promise.resolve({ done: false, value: event });
    if (this.#isClosed) return this.#ended();
    const waiter = Promise.withResolvers<IteratorResult<MonitorEvent>>();
    this.#waiting.push(waiter);
    return waiter.promise;
  }

  #take(): MonitorEvent | undefined {
    const event = this.#queue[this.#head];
    if (event === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
      this.#poll();
    }
    return event;
  }

  #poll(): void {
    if (this.#isPolling || this.#isClosed || this.#queue.length >= QUEUE_LIMIT) return;
    const view = new DataView(this.#pollFds.buffer);
    view.setInt32(0, this.#socket.fd, true);
    view.setInt16(4, POLLIN, true);
    view.setInt32(8, this.#wake, true);
    view.setInt16(12, POLLIN, true);
    this.#isPolling = true;
    inUse.add(this);
    this.#libc.pollAsync(this.#pollFds, -1, () => this.#polled());
  }

  #polled(): void {
    this.#isPolling = false;
    inUse.delete(this);
    if (this.#isClosed) {
      this.#release();
      return;
    }
    try {
      this.#drain();
    } catch (error) {
      this.#failure = error;
      this.close();
      return;
    }
    this.#settle();
    this.#poll();
  }

  #drain(): void {
    while (this.#queue.length < QUEUE_LIMIT) {
      const received = this.#socket.receive();
      if (received.kind === 'empty') return;
      if (received.kind === 'overrun') this.#queue.push({ kind: 'overrun' });
      else this.#decode(received.bytes);
    }
  }

  // A message that cannot be read is a change that was not seen: the consumer has to look for itself.
  #decode(bytes: Uint8Array): void {
    try {
      const message = new MessageCursor(bytes);
      while (message.next()) {
        const event = decodeEvent(message);
        if (event) this.#queue.push(event);
      }
    } catch (error) {
      if (!(error instanceof NetlinkDecodeError)) throw error;
      this.#queue.push({ kind: 'overrun' });
    }
  }

  #settle(): void {
    while (this.#waiting.length > 0) {
      const event = this.#take();
      if (!event && !this.#isClosed) return;
      const waiter = this.#waiting.shift();
      if (event) waiter?.resolve({ done: false, value: event });
      else if (this.#failure !== undefined) waiter?.reject(this.#failure);
      else waiter?.resolve({ done: true, value: undefined });
    }
  }

  // The end is told when nothing of the monitor is left, no pool thread either: the runtime may be about to stop.
  async #ended(): Promise<IteratorReturnResult<undefined>> {
    await this.#released.promise;
    return { done: true, value: undefined };
  }

  #release(): void {
    this.#socket.close();
    this.#libc.close(this.#wake);
    this.#released.resolve();
    this.#settle();
  }
}
