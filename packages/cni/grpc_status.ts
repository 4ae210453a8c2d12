// What a gRPC status of felix means to the runtime.
import { CniError, ErrorCode } from './cni_error.ts';

const NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;

const CODES: Readonly<Record<string, ErrorCode>> = {
  CANCELLED: ErrorCode.TryAgainLater,
  INVALID_ARGUMENT: ErrorCode.InvalidConfig,
  DEADLINE_EXCEEDED: ErrorCode.TryAgainLater,
  NOT_FOUND: ErrorCode.UnknownContainer,
  ALREADY_EXISTS: ErrorCode.FailedPrecondition,
  PERMISSION_DENIED: ErrorCode.FailedPrecondition,
  RESOURCE_EXHAUSTED: ErrorCode.NoAddress,
  FAILED_PRECONDITION: ErrorCode.FailedPrecondition,
  ABORTED: ErrorCode.TryAgainLater,
  OUT_OF_RANGE: ErrorCode.InvalidConfig,
  UNAVAILABLE: ErrorCode.TryAgainLater,
  DATA_LOSS: ErrorCode.Differs,
};

/** The sentence is felix's own; where it came from is in the details. */
export function grpcFailure(method: string, status: number, message: string): CniError {
  const name = NAMES[status] ?? `status ${status}`;
  const code = CODES[name] ?? ErrorCode.Internal;
  const text = message === '' ? `Cannot do "${method}": felix answered ${name}` : message;
  return new CniError(code, text, `felix answered ${name} to "${method}"`);
}
