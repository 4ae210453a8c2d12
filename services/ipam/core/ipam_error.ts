/** Why a request cannot be fulfilled. The edge maps it to a status code. */
export type Reason =
  | 'invalid-argument'
  | 'not-found'
  | 'already-exists'
  | 'exhausted'
  | 'precondition'
  | 'contended'
  | 'damaged';

/**
 * A request that cannot be fulfilled, with a message for the caller. 'damaged': what etcd holds under
 * `key` is not what it should be; nothing is written over it.
 */
export class IpamError extends Error {
  override readonly name = 'IpamError';
  readonly reason: Reason;

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
