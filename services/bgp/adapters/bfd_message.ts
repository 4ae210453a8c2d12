import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { BfdState } from '@calico/bfd-wire';
import type { BfdCause, BfdStatus } from '../core/bfd/types.ts';

const STATES: Readonly<Record<BfdState, string>> = {
  [BfdState.AdminDown]: 'AdminDown',
  [BfdState.Down]: 'Down',
  [BfdState.Init]: 'Init',
  [BfdState.Up]: 'Up',
};

const REASONS: Readonly<Record<BfdCause, string>> = {
  starting: 'not up yet',
  expired: 'nothing heard for the detection time',
  signaled: 'the peer does not hear this node',
  restarted: 'the peer starts anew',
  administrative: 'turned off by the peer',
};

/** As BfdStatus of events.proto. */
export function bfdMessage({ state, cause, since, problem, ...times }: BfdStatus) {
  const reason = problem || (cause === undefined ? '' : REASONS[cause]);
  return {
    state: STATES[state],
    since: timestampFromMs(since),
    reason,
    transmitIntervalMs: times.transmitMs,
    detectionTimeMs: times.detectionMs,
  };
}
