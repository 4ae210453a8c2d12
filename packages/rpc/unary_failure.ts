// Why a unary call has no answer.
import { status } from '@grpc/grpc-js';
import type { Headers } from './http2/header_decoder.ts';

export class UnaryFailure extends Error {
  override readonly name = 'UnaryFailure';
  /** gRPC's number. */
  readonly code: number;
  readonly details: string;
  /** False: the request certainly did not reach the peer's handler. */
  readonly isSent: boolean;
  /** The peer, or the connection to it, turned the request away unseen: it may be sent again at once. */
  readonly isRefused: boolean;

  constructor(
    code: number,
    details: string,
    { isSent = true, isRefused = false, cause }: Reasons = {},
  ) {
    super(details, cause === undefined ? {} : { cause });
    this.code = code;
    this.details = details;
    this.isSent = isSent;
    this.isRefused = isRefused;
  }

  static noConnection(cause: Error | undefined): UnaryFailure {
    const details = `No connection established. Last error: ${reasonOf(cause)}`;
    return new UnaryFailure(status.UNAVAILABLE, details, { isSent: false, cause });
  }

  static unavailable(details: string): UnaryFailure {
    return new UnaryFailure(status.UNAVAILABLE, details, { isSent: false });
  }

  static refused(): UnaryFailure {
    const details = 'The peer refuses new calls: it is stopping, or has too many';
    return new UnaryFailure(status.UNAVAILABLE, details, { isSent: false, isRefused: true });
  }

  static lost(cause: Error | undefined): UnaryFailure {
    const why = cause === undefined ? '' : `. Last error: ${reasonOf(cause)}`;
    return new UnaryFailure(status.UNAVAILABLE, `Connection dropped${why}`, { cause });
  }

  static deadline(timeoutMs: number, isSent: boolean): UnaryFailure {
    const details = `Deadline exceeded after ${(timeoutMs / 1000).toFixed(3)} s`;
    return new UnaryFailure(status.DEADLINE_EXCEEDED, details, { isSent });
  }

  static cancelled(isSent: boolean): UnaryFailure {
    return new UnaryFailure(status.CANCELLED, 'Cancelled on client', { isSent });
  }

  static tooLong(mostBytes: number, what = 'message'): UnaryFailure {
    const details = `Received ${what} larger than max (${mostBytes} bytes)`;
    return new UnaryFailure(status.RESOURCE_EXHAUSTED, details);
  }

  static internal(cause: unknown): UnaryFailure {
    return new UnaryFailure(status.INTERNAL, reasonOf(cause), { cause });
  }
}

type Reasons = {
  readonly isSent?: boolean;
  readonly isRefused?: boolean;
  readonly cause?: unknown;
};

/** What the headers of an answer without a message say. */
export function failureOfHeaders(headers: Headers): UnaryFailure {
  const code = headers['grpc-status'];
  if (code !== undefined) {
    return new UnaryFailure(Number(code), decoded(headers['grpc-message'] ?? ''));
  }
  const http = Number(headers[':status']);
  const isAway = http === 429 || (http >= 502 && http <= 504);
  const found = isAway ? status.UNAVAILABLE : status.UNKNOWN;
  return new UnaryFailure(found, `The peer does not speak gRPC: it answers HTTP status ${http}`);
}

/** Percent-encoded UTF-8; what is not decodable is shown as it came. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function reasonOf(cause: unknown): string {
  if (cause === undefined) return 'the peer closed it';
  if (!(cause instanceof Error)) return 'unknown';
  // Of a host name with several addresses: one error each.
  const all = cause instanceof AggregateError ? cause.errors.map(reasonOf).join('; ') : '';
  return cause.message || all || cause.name;
}
