// StreamPort on NATS JetStream.
//
// One connection after the other, each without the client's own reconnecting: whatever was under way
// on a lost connection fails at once, and nothing is sent twice behind our back. Works with servers
// from 2.9 on, so a consumer has at most one filter and none is "ordered" by the server.
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import type { ConnectBusOptions } from './connect_bus.ts';
import { BusUnavailable } from './errors.ts';
import { type Expectation, isStreamMissing, toBusError } from './nats_errors.ts';
import { followStream } from './nats_follow.ts';
import { natsTls } from './nats_tls.ts';
import type {
  OutgoingMessage,
  PublishAck,
  StreamItem,
  StreamMessage,
  StreamName,
  StreamPort,
} from './ports.ts';
import { ensureStreams } from './stream_setup.ts';

const REQUEST_TIMEOUT_MS = 5_000;
const RETRY_MS = { first: 100, most: 2_000 };
const PING_INTERVAL_MS = 3_000;
/** As OpenSSL reports it. */
const TLS_ALERT = /\w+:error:\w+:SSL routines:\w*:\S* ?alert ([^:]+):[^\n]*\n?/;

type Serve = Parameters<StreamPort['serve']>[1];

export class NatsStreams implements StreamPort {
  readonly #options: ConnectBusOptions;
  readonly #tls: ReturnType<typeof natsTls>;
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #closing = new AbortController();
  readonly #served = new Map<string, Serve>();
  readonly #done: Promise<void>;
  #connected = false;
  #manager: JetStreamManager | undefined;
  #connection: NatsConnection | undefined;
  #streamsMissing: (() => void) | undefined;

  constructor(options: ConnectBusOptions) {
    this.#options = options;
    this.#tls = natsTls(options);
    this.#done = this.#run();
  }

  get connected(): boolean {
    return this.#connected;
  }

  onStateChange(callback: (connected: boolean) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  async publish(stream: StreamName, message: OutgoingMessage): Promise<PublishAck> {
    const { subject, data, id, expectedSequence } = message;
    const conflict = expectedSequence === undefined ? undefined : { subject, expectedSequence };
    const answer = await this.#ask(
      `publish on "${subject}"`,
      (manager) =>
        manager.jetstream().publish(subject, data, {
          timeout: REQUEST_TIMEOUT_MS,
          ...(id === undefined ? {} : { msgID: id }),
          expect: {
            streamName: stream,
            ...(expectedSequence === undefined ? {} : { lastSubjectSequence: expectedSequence }),
          },
        }),
      conflict,
    );
    return { sequence: answer.seq, duplicate: answer.duplicate };
  }

  async last(stream: StreamName, subject: string): Promise<StreamMessage | undefined> {
    const found = await this.#ask(`read "${subject}"`, (manager) =>
      manager.streams.getMessage(stream, { last_by_subj: subject }),
    );
    if (found === null) return undefined;
    return { subject, data: found.data, sequence: found.seq, storedAt: found.time.getTime() };
  }

  async *follow(stream: StreamName, signal: AbortSignal): AsyncIterable<StreamItem> {
    const manager = this.#usable();
    const connection = this.#connection;
    if (connection === undefined) throw new BusUnavailable('Cannot follow: NATS is away');
    try {
      yield* followStream({ manager, connection, stream, signal });
    } catch (cause) {
      throw this.#failure(cause, `follow stream "${stream}"`);
    }
  }

  async purge(stream: StreamName, subject: string, sequence: number): Promise<void> {
    await this.#ask(`purge "${subject}"`, (manager) =>
      // The server keeps `seq` itself and removes what is before.
      manager.streams.purge(stream, { filter: subject, seq: sequence + 1 }),
    );
  }

  async request(subject: string, data: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const connection = this.#connection;
    if (connection === undefined) throw new BusUnavailable('Cannot ask: NATS is away');
    try {
      return (await connection.request(subject, data, { timeout: timeoutMs })).data;
    } catch (cause) {
      const reason = /responders/i.test(textOf(cause)) ? 'nobody answers' : textOf(cause);
      throw new BusUnavailable(`Cannot ask on "${subject}": ${reason}`, { cause });
    }
  }

  serve(subject: string, answer: Serve): () => void {
    this.#served.set(subject, answer);
    if (this.#connection !== undefined) void this.#answer(this.#connection, subject);
    return () => this.#served.delete(subject);
  }

  /** As long as the connection lasts and the subject is served. */
  async #answer(connection: NatsConnection, subject: string): Promise<void> {
    for await (const message of connection.subscribe(subject)) {
      const answer = this.#served.get(subject);
      if (answer === undefined) return;
      void answer(message.subject, message.data).then((data) => message.respond(data));
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new BusUnavailable('Cannot use the bus: closed'));
    await this.#done;
  }

  /** Connects for ever. */
  async #run(): Promise<void> {
    const { logger } = this.#options;
    let delayMs = RETRY_MS.first;
    const complaints = new Set<string>();
    while (!this.#closing.signal.aborted) {
      try {
        const connection = await this.#connect();
        delayMs = RETRY_MS.first;
        complaints.clear();
        await this.#use(connection);
      } catch (cause) {
        const message = `Cannot connect to NATS "${this.#options.servers}": ${textOf(cause)}`;
        if (complaints.has(message)) logger.debug(message);
        else logger.warn(`${message}; trying again`);
        complaints.add(message);
      }
      await this.#pause(delayMs);
      delayMs = Math.min(delayMs * 2, RETRY_MS.most);
    }
  }

  #connect(): Promise<NatsConnection> {
    const { servers, name, token, credentials } = this.#options;
    return connect({
      servers: servers.split(',').map((server) => server.trim().replace(/^tls:/, 'nats:')),
      name,
      reconnect: false,
      timeout: REQUEST_TIMEOUT_MS,
      pingInterval: PING_INTERVAL_MS,
      maxPingOut: 2,
      ...(token === undefined ? {} : { token }),
      ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(credentials) }),
      ...(this.#tls === undefined ? {} : { tls: this.#tls() }),
    });
  }

  /** Until the connection is gone. */
  async #use(connection: NatsConnection): Promise<void> {
    const { logger } = this.#options;
    const lost = connection.closed();
    const close = (): void => void connection.close();
    this.#closing.signal.addEventListener('abort', close, { once: true });
    if (this.#closing.signal.aborted) close();
    this.#connection = connection;
    for (const subject of this.#served.keys()) void this.#answer(connection, subject);
    logger.info(`Connected to NATS "${connection.getServer()}"`);
    await Promise.race([lost, this.#keepStreams(connection)]);
    const reason = await lost;
    this.#closing.signal.removeEventListener('abort', close);
    this.#connection = undefined;
    this.#manager = undefined;
    this.#setConnected(false);
    if (!this.#closing.signal.aborted) {
      logger.warn(`Lost the connection to NATS${reason ? `: ${textOf(reason)}` : ''}`);
    }
  }

  /** Sees to it that the streams exist; again whenever someone finds one missing. */
  async #keepStreams(connection: NatsConnection): Promise<void> {
    const { logger } = this.#options;
    let delayMs = RETRY_MS.first;
    while (!connection.isClosed()) {
      try {
        const manager = await jetstreamManager(connection, { timeout: REQUEST_TIMEOUT_MS });
        await ensureStreams(manager, logger);
        const missing = new Promise<void>((resolve) => {
          this.#streamsMissing = resolve;
        });
        this.#manager = manager;
        this.#setConnected(true);
        delayMs = RETRY_MS.first;
        await Promise.race([missing, connection.closed()]);
        this.#manager = undefined;
        this.#setConnected(false);
      } catch (cause) {
        if (connection.isClosed()) return;
        logger.warn(`Cannot prepare the streams of NATS: ${textOf(cause)}`);
      }
      await this.#pause(delayMs);
      delayMs = Math.min(delayMs * 2, RETRY_MS.most);
    }
  }

  async #ask<T>(
    what: string,
    call: (manager: JetStreamManager) => Promise<T>,
    expectation?: Expectation,
  ): Promise<T> {
    const manager = this.#usable();
    try {
      return await call(manager);
    } catch (cause) {
      throw this.#failure(cause, what, expectation);
    }
  }

  #failure(cause: unknown, what: string, expectation?: Expectation): Error {
    if (isStreamMissing(cause)) this.#streamsMissing?.();
    return toBusError(cause, what, expectation);
  }

  #usable(): JetStreamManager {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
    if (this.#manager === undefined) throw new BusUnavailable('Cannot use the bus: NATS is away');
    return this.#manager;
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }

  /** Waits somewhat, so that many clients do not come at once. */
  async #pause(delayMs: number): Promise<void> {
    const { clock, random = Math.random } = this.#options;
    const jittered = delayMs * (0.5 + random());
    await clock.sleep(jittered, this.#closing.signal).catch(() => {});
  }
}

function textOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text
    .replace(TLS_ALERT, 'NATS refuses our TLS certificate: $1')
    .replace(
      /^(?:read|write) (?:ECONNRESET|EPIPE)$/,
      'NATS closed the connection at once: with TLS, it refuses our certificate',
    );
}
