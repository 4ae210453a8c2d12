// The short way of a unary call through a grpc-js server. grpc-js listens, keeps sessions, streams and
// shuts down; a unary call needs none of its interceptors, queues and metadata objects, which cost more
// than most handlers. What is unusual (a compressed message) goes the long way.
import {
  constants,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
  type ServerStreamResponseOptions,
} from 'node:http2';
import { type Server, status } from '@grpc/grpc-js';
import { RpcError, toGrpcStatus } from './errors.ts';
import { frameOf, messageOf } from './unary_frame.ts';

/** Answers bytes to bytes; what it throws becomes the call's status. */
export type UnaryRoute = (request: Uint8Array, call: UnaryCall) => Promise<Uint8Array>;

export type UnaryCall = {
  readonly headers: IncomingHttpHeaders;
  readonly peer: string;
  /** Aborts when the caller cancels or its deadline passes. */
  readonly signal: AbortSignal;
  /** `performance.now()` when the caller stops waiting; undefined: never. */
  readonly deadline: number | undefined;
};

const HEADERS = { ':status': 200, 'content-type': 'application/grpc+proto' } as const;
const CONTENT_TYPE = 'application/grpc';
const UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
/** Longer than a timer can be set: as good as never. */
const LONGEST_MS = 2 ** 31 - 1;

// Made once: every call ends with this, and a new error records the stack.
const CANCELLED = new DOMException('This operation was aborted', 'AbortError');

/**
 * From now on the server's listeners answer the routes (by path) in the short way. A version of grpc-js
 * that keeps its listeners elsewhere goes on answering everything itself.
 */
export function takeUnaryCalls(
  server: Server,
  routes: ReadonlyMap<string, UnaryRoute>,
  mostBytes: number,
): void {
  const { http2Servers } = server as unknown as {
    http2Servers?: ReadonlyMap<Http2Server, unknown>;
  };
  for (const listener of http2Servers?.keys() ?? []) {
    const general = listener.listeners('stream');
    if (general.length !== 1 || general[0] === undefined || taken.has(listener)) continue;
    taken.add(listener);
    listener.removeAllListeners('stream');
    listener.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const route = isUsual(headers) ? routes.get(String(headers[':path'])) : undefined;
      if (route === undefined) Reflect.apply(general[0] as () => void, listener, [stream, headers]);
      else new ServedCall(stream, headers, mostBytes).serve(route);
    });
  }
}

const taken = new WeakSet<Http2Server>();

function isUsual(headers: IncomingHttpHeaders): boolean {
  const encoding = headers['grpc-encoding'];
  const isGrpc = headers['content-type']?.startsWith(CONTENT_TYPE) === true;
  return isGrpc && (encoding === undefined || encoding === 'identity');
}

class ServedCall implements UnaryCall {
  readonly headers: IncomingHttpHeaders;
  readonly deadline: number | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #mostBytes: number;
  readonly #controller = new AbortController();
  readonly #chunks: Uint8Array[] = [];
  #length = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, mostBytes: number) {
    this.#stream = stream;
    this.headers = headers;
    this.#mostBytes = mostBytes;
    const timeoutMs = timeoutOf(headers['grpc-timeout']);
    if (timeoutMs === undefined || timeoutMs > LONGEST_MS) return;
    this.deadline = performance.now() + timeoutMs;
    this.#timer = setTimeout(() => {
      this.#fail({ code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' });
      this.#controller.abort(CANCELLED);
    }, timeoutMs);
  }

  get peer(): string {
    const { remoteAddress, remotePort } = this.#stream.session?.socket ?? {};
    return remoteAddress === undefined ? 'unknown' : `${remoteAddress}:${remotePort}`;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  serve(route: UnaryRoute): void {
    const stream = this.#stream;
    stream.on('data', (chunk: Uint8Array) => this.#take(chunk));
    stream.once('end', () => void this.#answer(route));
    stream.on('error', () => {}); // 'close' follows
    stream.once('close', () => {
      clearTimeout(this.#timer);
      if (this.#isOver) return;
      this.#isOver = true;
      this.#controller.abort(CANCELLED);
    });
  }

  #take(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length <= this.#mostBytes) {
      this.#chunks.push(chunk);
    } else if (!this.#isOver) {
      const details = `Received message larger than max (${this.#length} vs. ${this.#mostBytes})`;
      this.#fail({ code: status.RESOURCE_EXHAUSTED, details });
      this.#stream.close(constants.NGHTTP2_NO_ERROR);
    }
  }

  async #answer(route: UnaryRoute): Promise<void> {
    if (!this.#isOpen) return; // also a request that a reset has cut off ends
    let reply: Uint8Array;
    try {
      reply = await route(this.#request(), this);
    } catch (cause) {
      this.#fail(toGrpcStatus(cause));
      return;
    }
    if (!this.#respond(HEADERS, { waitForTrailers: true })) return;
    const stream = this.#stream;
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(frameOf(reply));
  }

  #request(): Uint8Array {
    try {
      return messageOf(this.#chunks, this.#length);
    } catch (cause) {
      throw invalidFrame(cause);
    }
  }

  #fail({ code, details }: { readonly code: number; readonly details: string }): void {
    const message = encodeURI(details.toWellFormed());
    const headers = { ...HEADERS, 'grpc-status': String(code), 'grpc-message': message };
    this.#respond(headers, { endStream: true });
  }

  /** A stream that the client has reset is closed before it is destroyed. */
  get #isOpen(): boolean {
    return !this.#isOver && !this.#stream.closed && !this.#stream.destroyed;
  }

  /** False: nobody waits for an answer any more. */
  #respond(headers: OutgoingHttpHeaders, options: ServerStreamResponseOptions): boolean {
    if (!this.#isOpen) return false;
    this.#isOver = true;
    try {
      this.#stream.respond(headers, options);
      return true;
    } catch {
      return false; // who called is gone: nothing that it did may end this process
    }
  }
}

function invalidFrame(cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : '';
  return new RpcError('INVALID_ARGUMENT', `Cannot read request: ${reason}`, { cause });
}

/** Milliseconds of a `grpc-timeout`; undefined when there is none that can be read. */
function timeoutOf(text: string | string[] | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(text ?? ''));
  return match === null ? undefined : Number(match[1]) * (UNITS_MS[match[2] ?? ''] ?? 1);
}
