// Errors as status codes. The only file that knows codes.
import { type RpcCode, RpcError } from '@calico/rpc';
import { StoreUnavailable } from '@calico/store';
import { IpamError, type Reason } from '../core/ipam_error.ts';

const CODES: Readonly<Record<Reason, RpcCode>> = {
  'invalid-argument': 'INVALID_ARGUMENT',
  'not-found': 'NOT_FOUND',
  'already-exists': 'ALREADY_EXISTS',
  exhausted: 'RESOURCE_EXHAUSTED',
  precondition: 'FAILED_PRECONDITION',
  contended: 'ABORTED',
  damaged: 'FAILED_PRECONDITION',
};

export async function answer<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw toRpcError(cause);
  }
}

export async function* answerStream<T>(work: () => AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* work();
  } catch (cause) {
    throw toRpcError(cause);
  }
}

function toRpcError(cause: unknown): unknown {
  if (cause instanceof IpamError)
    return new RpcError(CODES[cause.reason], cause.message, { cause });
  if (cause instanceof StoreUnavailable) {
    return new RpcError(
      'UNAVAILABLE',
      `${cause.message} (${cause.outcome === 'unknown' ? 'the outcome is unknown' : 'nothing was changed'}); repeat the call`,
      { cause },
    );
  }
  return cause;
}
