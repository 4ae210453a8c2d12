import type { Clock } from '@calico/clock';
import type { Bus } from './bus.ts';
import { BusUnavailable, SequenceConflict } from './errors.ts';
import {
  type BusLogger,
  type OutgoingMessage,
  type PublishAck,
  STREAMS,
  type StreamItem,
  type StreamMessage,
  type StreamName,
  type StreamPort,
} from './ports.ts';
import { StreamBus } from './stream_bus.ts';

const SILENT: BusLogger = { debug() {}, info() {}, warn() {}, error() {} };

/** NATS in memory: the same bus over it, for tests, with the server's ways to fail. */
export class MemoryBroker {
  readonly #clock: Clock;
  #streams = emptyStreams();
  #running = true;
  readonly #clients = new Set<MemoryStreams>();
  readonly #buses = new Set<Bus>();
  readonly answerers = new Map<string, Serve>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get running(): boolean {
    return this.#running;
  }

  /** A client of its own. */
  connect(logger: BusLogger = SILENT): Bus {
    const bus = new StreamBus({
      streams: this.streams(),
      logger,
      clock: this.#clock,
      random: () => 0.5,
    });
    this.#buses.add(bus);
    return bus;
  }

  /** The port below the bus: publishes anything on any subject. */
  streams(): StreamPort {
    const client = new MemoryStreams(this, (each) => this.#clients.delete(each));
    this.#clients.add(client);
    return client;
  }

  stop(): void {
    this.#running = false;
    for (const client of this.#clients) client.changed(false);
  }

  start(options: { readonly keepData: boolean }): void {
    if (!options.keepData) this.#streams = emptyStreams();
    this.#running = true;
    for (const client of this.#clients) client.changed(true);
  }

  /** Ends all clients, so that no timer of theirs is left. */
  async close(): Promise<void> {
    await Promise.all([...this.#buses].map((bus) => bus.close()));
  }

  /** Of the running server. Throws BusUnavailable. */
  stream(name: StreamName): MemoryStream {
    if (!this.#running) throw new BusUnavailable('Cannot use the bus: NATS is away');
    return this.#streams[name];
  }

  store(name: StreamName, message: OutgoingMessage): PublishAck {
    return this.stream(name).store(message, this.#clock.now());
  }
}

type Serve = (subject: string, data: Uint8Array) => Promise<Uint8Array>;

function emptyStreams(): Record<StreamName, MemoryStream> {
  return { [STREAMS.resources]: new MemoryStream(), [STREAMS.nodes]: new MemoryStream() };
}

class MemoryStream {
  readonly #last = new Map<string, StreamMessage>();
  readonly #ids = new Map<string, number>();
  readonly #followers = new Set<() => void>();
  #sequence = 0;

  store({ subject, data, id, expectedSequence }: OutgoingMessage, now: number): PublishAck {
    const earlier = id === undefined ? undefined : this.#ids.get(id);
    if (earlier !== undefined) return { sequence: earlier, duplicate: true };
    const before = this.#last.get(subject)?.sequence ?? 0;
    if (expectedSequence !== undefined && expectedSequence !== before) {
      throw new SequenceConflict(subject, expectedSequence);
    }
    const sequence = ++this.#sequence;
    // Delete first: a map keeps the place of a key that is set again, a stream does not.
    this.#last.delete(subject);
    this.#last.set(subject, { subject, data, sequence, storedAt: now });
    if (id !== undefined) this.#ids.set(id, sequence);
    for (const wake of this.#followers) wake();
    return { sequence, duplicate: false };
  }

  last(subject: string): StreamMessage | undefined {
    return this.#last.get(subject);
  }

  purge(subject: string, sequence: number): void {
    if ((this.#last.get(subject)?.sequence ?? Number.POSITIVE_INFINITY) <= sequence) {
      this.#last.delete(subject);
    }
  }

  /** The first message after `sequence`; in order of sequence. */
  after(sequence: number): StreamMessage | undefined {
    for (const message of this.#last.values()) if (message.sequence > sequence) return message;
    return undefined;
  }

  onStored(wake: () => void): () => void {
    this.#followers.add(wake);
    return () => this.#followers.delete(wake);
  }
}

class MemoryStreams implements StreamPort {
  readonly #broker: MemoryBroker;
  readonly #forget: (client: MemoryStreams) => void;
  readonly #listeners = new Set<(connected: boolean) => void>();
  #closed = false;
  #lost = new AbortController();

  constructor(broker: MemoryBroker, forget: (client: MemoryStreams) => void) {
    this.#broker = broker;
    this.#forget = forget;
  }

  get connected(): boolean {
    return !this.#closed && this.#broker.running;
  }

  onStateChange(callback: (connected: boolean) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  changed(connected: boolean): void {
    if (!connected) {
      this.#lost.abort(new BusUnavailable('Cannot follow: the connection is lost'));
      this.#lost = new AbortController();
    }
    for (const listener of this.#listeners) listener(connected);
  }

  async publish(stream: StreamName, message: OutgoingMessage): Promise<PublishAck> {
    await Promise.resolve();
    this.#check();
    return this.#broker.store(stream, message);
  }

  async last(stream: StreamName, subject: string): Promise<StreamMessage | undefined> {
    await Promise.resolve();
    this.#check();
    return this.#broker.stream(stream).last(subject);
  }

  async purge(stream: StreamName, subject: string, sequence: number): Promise<void> {
    await Promise.resolve();
    this.#check();
    this.#broker.stream(stream).purge(subject, sequence);
  }

  async request(subject: string, data: Uint8Array): Promise<Uint8Array> {
    await Promise.resolve();
    this.#check();
    // Whoever answers does so on all subjects of one node.
    const serve = this.#broker.answerers.get(subject.replace(/[^.]*$/, '*'));
    if (!this.#broker.running || serve === undefined) {
      throw new BusUnavailable(`Cannot ask on "${subject}": nobody answers`);
    }
    return serve(subject, data);
  }

  serve(subject: string, answer: Serve): () => void {
    this.#broker.answerers.set(subject, answer);
    return () => this.#broker.answerers.delete(subject);
  }

  async *follow(name: StreamName, signal: AbortSignal): AsyncIterable<StreamItem> {
    this.#check();
    const lost = this.#lost.signal;
    const stream = this.#broker.stream(name);
    let position = 0;
    let caughtUp = false;
    while (!signal.aborted) {
      if (lost.aborted) throw lost.reason;
      const message = stream.after(position);
      if (message !== undefined) {
        position = message.sequence;
        yield { kind: 'message', message };
      } else if (!caughtUp) {
        caughtUp = true;
        yield { kind: 'caught-up' };
      } else {
        await stored(stream, AbortSignal.any([signal, lost]));
      }
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#forget(this);
    this.changed(false);
    return Promise.resolve();
  }

  #check(): void {
    if (this.#closed) throw new BusUnavailable('Cannot use the bus: closed');
  }
}

function stored(stream: MemoryStream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const wake = (): void => {
      end();
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const end = stream.onStored(wake);
    signal.addEventListener('abort', wake, { once: true });
  });
}
