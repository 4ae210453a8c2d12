/**
 * Why a request about a workload was refused. The edge maps each kind to one gRPC status:
 * `invalid` INVALID_ARGUMENT, `precondition` FAILED_PRECONDITION, `exhausted` RESOURCE_EXHAUSTED,
 * `unavailable` UNAVAILABLE (try again later), `missing` NOT_FOUND, `differs` DATA_LOSS.
 */
export type WorkloadErrorKind =
  | 'invalid'
  | 'precondition'
  | 'exhausted'
  | 'unavailable'
  | 'missing'
  | 'differs';

export class WorkloadError extends Error {
  override readonly name = 'WorkloadError';
  readonly kind: WorkloadErrorKind;

  constructor(kind: WorkloadErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
