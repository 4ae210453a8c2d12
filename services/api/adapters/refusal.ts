// Failures of the layers below as answers of the service. The only file that maps codes.
import { ValidationError } from '@calico/model';
import { RpcError } from '@calico/rpc';
import { CompactedError, StoreUnavailable } from '@calico/store';

/** Runs an action; what users or etcd are to blame for becomes an RpcError, our own faults pass through. */
export async function answering<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw refusal(cause);
  }
}

export function refusal(cause: unknown): unknown {
  if (cause instanceof ValidationError)
    return new RpcError('INVALID_ARGUMENT', cause.message, { cause });
  if (cause instanceof CompactedError)
    return new RpcError('OUT_OF_RANGE', cause.message, { cause });
  if (cause instanceof StoreUnavailable) {
    const outcome = cause.outcome === 'unknown' ? 'the outcome is unknown' : 'nothing was changed';
    return new RpcError('UNAVAILABLE', `Cannot reach etcd: ${outcome}, try again`, { cause });
  }
  return cause;
}
