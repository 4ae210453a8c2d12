// One unary call from its first byte to its answer, whoever carries the bytes.
import { status } from '@grpc/grpc-js';
import { type Deadline, deadlines } from './deadlines.ts';
import { RpcError, toGrpcStatus } from './errors.ts';
import type { Headers } from './http2/header_decoder.ts';
import { frameOf, messageOf } from './unary_frame.ts';

/** Answers bytes to bytes; what it throws becomes the call's status. */
export type UnaryRoute = (request: Uint8Array, call: UnaryCall) => Promise<Uint8Array>;

export type UnaryCall = {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly peer: string;
  /** Aborts when the caller cancels or its deadline passes. */
  readonly signal: AbortSignal;
  /** `performance.now()` when the caller stops waiting; undefined: never. */
  readonly deadline: number | undefined;
};

/** Of one peer. The handler of a call that was taken back runs on until it notices. */
export type Handlers = { running: number };

export type CallLimits = {
  readonly route: UnaryRoute;
  readonly mostBytes: number;
  readonly handlers: Handlers;
};

/** The way back to the caller. Nothing of it throws. */
export interface CallCarrier {
  readonly peer: string;
  /** False: nobody waits for an answer any more. */
  readonly isOpen: boolean;
  respond(frame: Uint8Array): void;
  refuse(headers: Headers): void;
  /** The rest of the request is not wanted. */
  cut(): void;
}

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

export class ServedCall implements UnaryCall {
  readonly headers: UnaryCall['headers'];
  readonly deadline: number | undefined;
  readonly #carrier: CallCarrier;
  readonly #route: UnaryRoute;
  readonly #mostBytes: number;
  readonly #handlers: Handlers;
  readonly #chunks: Uint8Array[] = [];
  #controller: AbortController | undefined;
  #length = 0;
  #limit: Deadline | undefined;
  #isOver = false;
  #isCancelled = false;

  constructor(
    carrier: CallCarrier,
    headers: UnaryCall['headers'],
    { route, mostBytes, handlers }: CallLimits,
  ) {
    this.#carrier = carrier;
    this.headers = headers;
    this.#route = route;
    this.#mostBytes = mostBytes;
    this.#handlers = handlers;
    const timeoutMs = timeoutOf(headers['grpc-timeout']);
    if (timeoutMs === undefined || timeoutMs > LONGEST_MS) return;
    this.#limit = deadlines.add(timeoutMs, () => {
      this.#fail({ code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded' });
      this.#cancel();
    });
    this.deadline = this.#limit.at;
  }

  get peer(): string {
    return this.#carrier.peer;
  }

  /** Made when it is asked for: it costs as much as the rest of a short call. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isCancelled) this.#controller.abort(CANCELLED);
    return this.#controller.signal;
  }

  take(chunk: Uint8Array): void {
    this.#length += chunk.length;
    if (this.#length <= this.#mostBytes) {
      this.#chunks.push(chunk);
    } else if (!this.#isOver) {
      const details = `Received message larger than max (${this.#length} vs. ${this.#mostBytes})`;
      this.#fail({ code: status.RESOURCE_EXHAUSTED, details });
      this.#carrier.cut();
    }
  }

  /** The request is complete. */
  end(): void {
    if (this.#canAnswer) void this.#answer(); // also a request that a reset has cut off ends
  }

  /** Nobody waits any more. */
  close(): void {
    deadlines.remove(this.#limit);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancel();
  }

  async #answer(): Promise<void> {
    let reply: Uint8Array;
    this.#handlers.running++;
    try {
      reply = await this.#route(this.#request(), this);
    } catch (cause) {
      this.#fail(toGrpcStatus(cause));
      return;
    } finally {
      this.#handlers.running--;
    }
    if (this.#finish()) this.#carrier.respond(frameOf(reply));
  }

  #request(): Uint8Array {
    try {
      return messageOf(this.#chunks, this.#length);
    } catch (cause) {
      throw invalidFrame(cause);
    }
  }

  #fail({ code, details }: { readonly code: number; readonly details: string }): void {
    const message = encodeURI(details);
    if (!this.#finish()) return;
    this.#carrier.refuse({ 'grpc-status': String(code), 'grpc-message': message });
  }

  #cancel(): void {
    this.#isCancelled = true;
    this.#controller?.abort(CANCELLED);
  }

  get #canAnswer(): boolean {
    return !this.#isOver && this.#carrier.isOpen;
  }

  /** False: nobody waits for an answer any more. */
  #finish(): boolean {
    if (!this.#canAnswer) return false;
    this.#isOver = true;
    deadlines.remove(this.#limit);
    return true;
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
