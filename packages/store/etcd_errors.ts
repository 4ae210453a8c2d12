// What etcd, its clients and the connection say, turned into this package's errors.
import { UnaryFailure } from '@calico/rpc';
import { CompactedError, StoreUnavailable } from './store.ts';

/** The request did not leave this process, or etcd refused it before proposing it to Raft. */
const NOT_SENT =
  /No connection established|Channel closed before call started|Name resolution failed|Channel has been shut down|Waiting for LB pick|etcdserver: (too many requests|mvcc: database space exceeded)/;

const REFUSED = /etcdserver: (duplicate key|too many operations|key is not provided)/;

/** True when trying again, also elsewhere, cannot apply anything twice. */
export function wasNotSent(error: unknown): boolean {
  if (error instanceof UnaryFailure && !error.isSent) return true;
  return error instanceof Error && NOT_SENT.test(error.message);
}

/**
 * The error to throw for a failed request.
 * @param writes whether the request could have changed something.
 * @param revision the revision that was asked for, if any.
 */
export function storeError(error: unknown, action: string, writes: boolean, revision = 0n): Error {
  const cause = error instanceof Error ? error : new Error(String(error));
  if (/required revision has been compacted/.test(cause.message)) {
    return new CompactedError(revision, { cause });
  }
  if (REFUSED.test(cause.message)) {
    return new RangeError(`Cannot ${action}: ${cause.message}`, { cause });
  }
  const leaseLost = /requested lease not found|Lease .* is expired/.test(cause.message);
  const outcome = !writes || leaseLost || wasNotSent(cause) ? 'nothing-changed' : 'unknown';
  const what = leaseLost ? 'its lease is lost' : `etcd is unavailable: ${reason(cause)}`;
  return new StoreUnavailable(outcome, `Cannot ${action}: ${what}`, { cause });
}

/** As OpenSSL reports it. */
const TLS_ALERT = /\w+:error:\w+:SSL routines:\w*:\S* ?alert ([^:]+):[^\n]*\n?/;

function reason(cause: Error): string {
  const text =
    cause instanceof UnaryFailure ? cause.details : cause.message.replace(/^\w+: (\d+ )?/, '');
  return text
    .replace(/ Resolution note: .*$/, '')
    .replace(TLS_ALERT, 'etcd refuses our TLS certificate: $1')
    .replace(
      /(?<=Last error: )(?:the peer closed it|Protocol error|(?:read|write) (?:ECONNRESET|EPIPE))/,
      'etcd closed the connection at once: it refuses our certificate, or only one end uses TLS',
    );
}
