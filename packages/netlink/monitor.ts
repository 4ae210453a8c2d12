// Multicast events of one namespace:  socket_watch → synchronous drain → queue → consumer.
// While the queue is full nothing is drained; the kernel's buffer then holds the events, and when that
// overflows too it says so (ENOBUFS), which the consumer sees as 'overrun'.
import { NetlinkDecodeError } from './errors.ts';
import { decodeEvent } from './event_codec.ts';
import type { Libc } from './libc.ts';
import { MessageCursor } from './message_reader.ts';
import { NetlinkSocket } from './netlink_socket.ts';
import { SocketWatch } from './socket_watch.ts';
import type { Monitor, MonitorEvent, MonitorGroup } from './types.ts';
import { RTNLGRP } from './uapi.ts';

const QUEUE_LIMIT = 16_384;
const DEFAULT_BUFFER_BYTES = 8 * 1024 * 1024;

export type MonitorOptions = {
  readonly receiveBufferBytes?: number | undefined;
  /** What this socket of the process does is not told: see Batch.portId. */
  readonly exceptPort?: number | undefined;
};

export class NetlinkMonitor implements Monitor {
  readonly #socket: NetlinkSocket;
  readonly #watch: SocketWatch;
  readonly #queue: MonitorEvent[] = [];
  #head = 0;
  readonly #waiting: PromiseWithResolvers<IteratorResult<MonitorEvent>>[] = [];
  readonly #released = Promise.withResolvers<void>();
  #failure: unknown;

  constructor(
    libc: Libc,
    groups: readonly MonitorGroup[],
    { receiveBufferBytes, exceptPort }: MonitorOptions = {},
  ) {
    const mask = groups.reduce((bits, group) => bits | (1 << (RTNLGRP[group] - 1)), 0);
    this.#socket = new NetlinkSocket(libc, {
      groups: mask,
      receiveBufferBytes: receiveBufferBytes ?? DEFAULT_BUFFER_BYTES,
    });
    if (exceptPort !== undefined) this.#socket.ignore(exceptPort);
    this.#watch = new SocketWatch({
      libc,
      socket: this.#socket,
      onReadable: () => this.#read(),
      onReleased: () => this.#end(),
    });
    this.#watch.wait();
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
    this.#watch.close();
  }

  #next(): Promise<IteratorResult<MonitorEvent>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const event = this.#take();
    if (event) return Promise.resolve({ done: false, value: event });
    if (this.#watch.isClosed) return this.#ended();
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
      this.#watch.wait();
    }
    return event;
  }

  #read(): void {
    try {
      this.#drain();
    } catch (error) {
      this.#failure = error;
      this.close();
      return;
    }
    this.#settle();
    if (this.#queue.length < QUEUE_LIMIT) this.#watch.wait();
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
      if (!event && !this.#watch.isClosed) return;
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

  #end(): void {
    this.#released.resolve();
    this.#settle();
  }
}
