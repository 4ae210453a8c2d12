// What an answer of ipam or api means for a workload.
import { type RpcCode, RpcError } from '@calico/rpc';
import { WorkloadError, type WorkloadErrorKind } from '../core/workload_error.ts';

// Codes that are not listed say nothing about the request: it may succeed later.
const KINDS: Readonly<Partial<Record<RpcCode, WorkloadErrorKind>>> = {
  INVALID_ARGUMENT: 'invalid',
  NOT_FOUND: 'invalid',
  OUT_OF_RANGE: 'invalid',
  ALREADY_EXISTS: 'precondition',
  FAILED_PRECONDITION: 'precondition',
  RESOURCE_EXHAUSTED: 'exhausted',
};

export async function asWorkloadError<T>(service: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof WorkloadError) throw cause;
    const kind = cause instanceof RpcError ? (KINDS[cause.code] ?? 'unavailable') : 'unavailable';
    const text = cause instanceof Error ? cause.message : String(cause);
    const message = kind === 'unavailable' ? `Cannot reach ${service}: ${text}` : text;
    throw new WorkloadError(kind, message, { cause });
  }
}

export function hasCode(cause: unknown, code: RpcCode): boolean {
  return cause instanceof RpcError && cause.code === code;
}
