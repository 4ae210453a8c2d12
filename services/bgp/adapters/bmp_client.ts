// Keeps a connection to a BMP collector, and gives it as much as it takes.
import { connect, type Socket } from 'node:net';
import type { CancelTimer, Clock } from '@calico/clock';
import { formatAddress } from '@calico/ip';
import type { BmpSettings } from '../core/bmp/settings.ts';
import type { CollectorPort, CollectorSource, Log } from '../ports.ts';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** A connection that lasted so long starts the backoff anew. */
const STABLE_MS = 30_000;

export class BmpClient implements CollectorPort {
  readonly #clock: Clock;
  readonly #log: Log;
  #source: CollectorSource | undefined;
  #target: BmpSettings | undefined;
  #socket: Socket | undefined;
  #isOpen = false;
  #isBlocked = false;
  /** Said once, however often it is tried again. */
  #isLossKnown = false;
  #openedAt = 0;
  #retryMs = FIRST_RETRY_MS;
  #cancelRetry: CancelTimer = () => {};
  #cancelWork: CancelTimer | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  configure(target: BmpSettings | undefined, source: CollectorSource): void {
    this.#source = source;
    this.#drop();
    this.#target = target;
    this.#isLossKnown = false;
    this.#retryMs = FIRST_RETRY_MS;
    this.#dial();
  }

  wake(): void {
    this.#cancelWork ??= this.#clock.setTimer(0, () => {
      this.#cancelWork = undefined;
      this.#pump();
    });
  }

  /** Says goodbye and closes. */
  close(): void {
    const [socket, source] = [this.#socket, this.#source];
    if (this.#isOpen && source !== undefined) socket?.end(source.farewell());
    this.#socket = undefined;
    this.#drop();
  }

  #dial(): void {
    const target = this.#target;
    if (target === undefined) return;
    const { address, port } = target;
    const socket = connect({ host: formatAddress(address), port, family: address.family });
    this.#socket = socket;
    let reason = 'closed by the collector';
    socket.on('error', (error) => {
      reason = error.message;
    });
    socket.once('connect', () => {
      if (this.#socket !== socket) return;
      this.#log.info('collector is connected', { collector: formatAddress(address), port });
      this.#isOpen = true;
      this.#isLossKnown = false;
      this.#openedAt = this.#clock.now();
      this.#source?.connected();
      this.#pump();
    });
    socket.on('drain', () => {
      this.#isBlocked = false;
      if (this.#socket === socket) this.#pump();
    });
    // A collector says nothing; what it says is not kept.
    socket.resume();
    socket.once('close', () => {
      if (this.#socket !== socket) return;
      if (this.#isOpen || !this.#isLossKnown) {
        const message = this.#isOpen ? 'collector is lost' : 'collector cannot be reached';
        this.#log.warn(message, { collector: formatAddress(address), port, reason });
        this.#isLossKnown = true;
      }
      if (this.#isOpen && this.#clock.now() - this.#openedAt >= STABLE_MS) {
        this.#retryMs = FIRST_RETRY_MS;
      }
      this.#drop();
      this.#cancelRetry = this.#clock.setTimer(this.#retryMs, () => this.#dial());
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    });
  }

  #pump(): void {
    const source = this.#source;
    if (!this.#isOpen || this.#isBlocked || source === undefined) return;
    if (!source.isConnected) {
      // It was too slow: the next connection begins with everything.
      this.#socket?.destroy();
      return;
    }
    const bytes = source.take();
    if (bytes === undefined) return;
    this.#isBlocked = this.#socket?.write(bytes) === false;
    // Not all at once: a table must not hold up what else there is to do.
    if (!this.#isBlocked) this.wake();
  }

  #drop(): void {
    this.#cancelRetry();
    this.#cancelWork?.();
    this.#cancelWork = undefined;
    this.#isOpen = false;
    this.#isBlocked = false;
    this.#source?.disconnected();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }
}
