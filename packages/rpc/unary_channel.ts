// Unary gRPC calls, bytes in and bytes out: one connection to one peer, which is made
// when it is needed and made again when it is gone. A general gRPC library goes through filters, load
// balancers and interceptors; a unary call to a known peer needs a frame of five bytes and two headers.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
import { createConnection, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { addressIdentity } from './address_identity.ts';
import { deadlines } from './deadlines.ts';
import { Http2Connection } from './http2/connection.ts';
import { CODE } from './http2/frames.ts';
import type { Header } from './http2/header_table.ts';
import type { Stream } from './http2/stream.ts';
import { UnaryAnswer } from './unary_answer.ts';
import { UnaryFailure } from './unary_failure.ts';
import { frameOf } from './unary_frame.ts';

export type PemFiles = {
  /** None: the system's authorities. */
  readonly ca?: Buffer | null | undefined;
  readonly cert?: Buffer | null | undefined;
  readonly key?: Buffer | null | undefined;
};

export type UnaryPeer =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      /** Undefined: plain text. */
      readonly tls?: PemFiles | undefined;
    };

export type UnaryOptions = {
  /** Time for the whole call, connecting included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Beside those of the protocol. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
};

/** So long after a connection was refused calls fail without trying again. */
const REFUSED_MS = 50;
/** A connection that takes longer is given up. */
const CONNECT_MS = 20_000;
/** Between proofs of life while calls wait. etcd closes connections that ping more often than every 5 s. */
const PING_EVERY_MS = 10_000;
/** As gRPC has it: the other side may be busy, or on a slow machine. */
const PING_ANSWER_MS = 20_000;
const POST: Header = [':method', 'POST'];
const COMMON_HEADERS: readonly Header[] = [
  [':authority', 'localhost'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
];
/** Requests that differ in path or timeout, whose headers are kept. */
const MOST_FIELDS = 64;
const DEFAULT_MOST_BYTES = 64 << 20;

export class UnaryChannel {
  readonly #peer: UnaryPeer;
  readonly #mostBytes: number;
  #connection: Connection | undefined;
  #refusal: { readonly error: Error | undefined; readonly at: number } | undefined;
  #isClosed = false;

  /** @param mostBytes the longest answer that is accepted */
  constructor(peer: UnaryPeer, mostBytes = DEFAULT_MOST_BYTES) {
    this.#peer = peer;
    this.#mostBytes = mostBytes;
  }

  /** The message that the method answers. @throws UnaryFailure */
  async call(path: string, message: Uint8Array, options: UnaryOptions): Promise<Uint8Array> {
    const start = performance.now();
    try {
      return await this.#send(path, message, options);
    } catch (failure) {
      // The peer says that it did not look at it: it is about to stop, or was when it was asked.
      if (!(failure instanceof UnaryFailure) || !failure.isRefused) throw failure;
      const timeoutMs = options.timeoutMs - (performance.now() - start);
      if (timeoutMs <= 0) throw UnaryFailure.deadline(options.timeoutMs, false);
      return await this.#send(path, message, { ...options, timeoutMs });
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
  }

  #send(path: string, message: Uint8Array, options: UnaryOptions): Promise<Uint8Array> {
    if (this.#isClosed) return Promise.reject(UnaryFailure.unavailable('the client is closed'));
    const refusal = this.#refusal;
    if (refusal !== undefined && performance.now() - refusal.at < REFUSED_MS) {
      return Promise.reject(UnaryFailure.noConnection(refusal.error));
    }
    return this.#connected().call(path, message, options, this.#mostBytes);
  }

  #connected(): Connection {
    if (this.#connection?.isUsable === true) return this.#connection;
    const connection = new Connection(this.#peer, (error) => {
      this.#refusal = { error, at: performance.now() };
    });
    this.#connection = connection;
    return connection;
  }
}

class Connection {
  readonly #http: Http2Connection;
  readonly #socket: Socket;
  readonly #scheme: Header;
  readonly #ready = Promise.withResolvers<void>();
  /** Calls that the peer does not take at once. */
  readonly #waiting: (() => void)[] = [];
  /** The peer has spoken HTTP/2. Nothing is sent before: so it is known what was not. */
  #isReady = false;
  #calls = 0;
  /** By timeout and path. */
  readonly #fields = new Map<string, readonly Header[]>();
  #pinging: NodeJS.Timeout | undefined;
  #keepAlive: NodeJS.Timeout | undefined;

  constructor(peer: UnaryPeer, onRefused: (error: Error | undefined) => void) {
    const socket = dial(peer);
    this.#socket = socket;
    this.#scheme = [':scheme', peer.kind === 'tcp' && peer.tls !== undefined ? 'https' : 'http'];
    this.#ready.promise.catch(() => {}); // those who wait have their own
    const connecting = setTimeout(() => this.#http.destroy(), CONNECT_MS);
    connecting.unref();
    this.#http = new Http2Connection(socket, 'client', {
      onReady: () => {
        this.#isReady = true;
        clearTimeout(connecting);
        this.#keepAlive = setInterval(() => this.#calls > 0 && this.#ping(), PING_EVERY_MS);
        this.#keepAlive.unref();
        this.#ready.resolve();
      },
      onRoom: () => {
        while (this.#http.hasRoom && this.#waiting.length > 0) this.#waiting.shift()?.();
      },
      onClose: (error) => {
        clearTimeout(connecting);
        clearInterval(this.#keepAlive);
        clearTimeout(this.#pinging);
        for (const start of this.#waiting.splice(0)) start();
        if (this.#isReady) return;
        onRefused(error);
        this.#ready.reject(UnaryFailure.noConnection(error));
      },
    });
  }

  get isUsable(): boolean {
    return this.#http.isUsable;
  }

  close(): void {
    this.#http.destroy();
  }

  call(
    path: string,
    message: Uint8Array,
    options: UnaryOptions,
    mostBytes: number,
  ): Promise<Uint8Array> {
    if (this.#isReady) return this.#exchange(path, message, options, mostBytes);
    const start = performance.now();
    return this.#becomeReady(options).then(() => {
      const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - start));
      return this.#exchange(path, message, { ...options, timeoutMs }, mostBytes);
    });
  }

  async #becomeReady({ timeoutMs, signal }: UnaryOptions): Promise<void> {
    const given = Promise.withResolvers<never>();
    const abort = (): void => given.reject(UnaryFailure.cancelled(false));
    const late = (): void => given.reject(UnaryFailure.deadline(timeoutMs, false));
    const timer = setTimeout(late, timeoutMs);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      await Promise.race([this.#ready.promise, given.promise]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  #exchange(
    path: string,
    message: Uint8Array,
    { timeoutMs, signal, headers = {} }: UnaryOptions,
    mostBytes: number,
  ): Promise<Uint8Array> {
    if (signal?.aborted === true) return Promise.reject(UnaryFailure.cancelled(false));
    if (!this.#http.isUsable) return Promise.reject(UnaryFailure.refused());
    if (this.#calls++ === 0) this.#socket.ref();
    return new Promise((resolve, reject) => {
      let stream: Stream | undefined;
      let isOver = false;
      const answer = new UnaryAnswer(mostBytes);
      const settle = (): void => {
        if (isOver) return;
        isOver = true;
        deadlines.remove(limit);
        signal?.removeEventListener('abort', abort);
        if (--this.#calls === 0) this.#socket.unref();
        if (stream !== undefined) this.#http.reset(stream, CODE.CANCEL);
        const outcome = answer.outcome;
        if (outcome instanceof UnaryFailure) reject(outcome);
        else resolve(outcome);
      };
      answer.onSettled = settle;
      const limit = deadlines.add(timeoutMs, () => {
        answer.giveUp(UnaryFailure.deadline(timeoutMs, stream !== undefined));
        this.#ping();
      });
      const abort = (): void => answer.giveUp(UnaryFailure.cancelled(stream !== undefined));
      signal?.addEventListener('abort', abort, { once: true });
      const start = (): void => {
        if (isOver) return;
        if (!this.#http.isUsable) {
          answer.giveUp(UnaryFailure.refused());
          return;
        }
        const fields = this.#fieldsOf(path, Math.max(1, Math.ceil(timeoutMs)));
        const more = Object.entries(headers);
        const all = more.length === 0 ? fields : [...fields, ...more];
        stream = this.#http.request(all, frameOf(message), answer);
      };
      if (this.#http.hasRoom) start();
      else this.#waiting.push(start);
    });
  }

  /** The same list for the same request: it is encoded once. */
  #fieldsOf(path: string, timeoutMs: number): readonly Header[] {
    const name = `${timeoutMs}${path}`;
    const known = this.#fields.get(name);
    if (known !== undefined) return known;
    const timeout: Header = ['grpc-timeout', `${timeoutMs}m`];
    const made = [POST, this.#scheme, [':path', path] as const, ...COMMON_HEADERS, timeout];
    if (this.#fields.size >= MOST_FIELDS) this.#fields.clear();
    this.#fields.set(name, made);
    return made;
  }

  /** Ends the connection when the peer does not answer any more. */
  #ping(): void {
    if (this.#pinging !== undefined || !this.isUsable) return;
    this.#pinging = setTimeout(() => this.#http.destroy(), PING_ANSWER_MS);
    this.#pinging.unref();
    this.#http.ping(() => {
      clearTimeout(this.#pinging);
      this.#pinging = undefined;
    });
  }
}

function dial(peer: UnaryPeer): Socket {
  if (peer.kind === 'unix') return createConnection(peer.path);
  const { host, port, tls } = peer;
  if (tls === undefined) return createConnection({ host, port });
  return connectTls({ host, port, ALPNProtocols: ['h2'], ...secureOptions(host, tls) });
}

function secureOptions(host: string, { ca, cert, key }: PemFiles): ConnectionOptions {
  return {
    ...(ca == null ? {} : { ca }),
    ...(cert == null ? {} : { cert }),
    ...(key == null ? {} : { key }),
    ...(addressIdentity(host) ?? { servername: host }),
  };
}
