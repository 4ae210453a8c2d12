import { JetStreamApiError } from '@nats-io/jetstream';
import { NoRespondersError, RequestError } from '@nats-io/transport-node';
import { BusUnavailable, SequenceConflict } from './errors.ts';

// Error codes of JetStream's API (server/errors.json).
const WRONG_LAST_SEQUENCE = 10071;
const STREAM_NOT_FOUND = 10059;

/** True when a stream has vanished under a living connection: nobody answers for its subjects. */
export function isStreamMissing(cause: unknown): boolean {
  if (cause instanceof StreamGone || cause instanceof NoRespondersError) return true;
  if (cause instanceof JetStreamApiError) return cause.code === STREAM_NOT_FOUND;
  if (cause instanceof RequestError) return cause.isNoResponders();
  return cause instanceof Error && cause.cause !== undefined && isStreamMissing(cause.cause);
}

/** A follower learned that its stream or consumer is gone. */
export class StreamGone extends BusUnavailable {}

/** What a publisher believed to be the last message of the subject. */
export type Expectation = { readonly subject: string; readonly expectedSequence: number };

/** `what` was tried: "publish on …". */
export function toBusError(cause: unknown, what: string, expectation?: Expectation): Error {
  if (cause instanceof BusUnavailable) return cause;
  if (
    expectation !== undefined &&
    cause instanceof JetStreamApiError &&
    cause.code === WRONG_LAST_SEQUENCE
  ) {
    return new SequenceConflict(expectation.subject, expectation.expectedSequence, { cause });
  }
  const text = cause instanceof Error ? cause.message : String(cause);
  return new BusUnavailable(`Cannot ${what}: ${text}`, { cause });
}
