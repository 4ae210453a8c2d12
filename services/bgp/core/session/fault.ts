// A mistake of ours that only what one peer has said brings up: its session ends, not the process with all of them.
import { cease } from '@calico/bgp-wire';
import { type Session, type SessionEvent, type SessionStep, stepSession } from './session.ts';
import type { ConnectionEvent, SessionConfig } from './types.ts';

type Malformed = Extract<ConnectionEvent, { readonly kind: 'malformed' }>;

/** Ends the connection on which it came, and the session rests as after any error. */
export function faultOf(cause: unknown): Malformed {
  const text = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
  return { kind: 'malformed', notification: cease(0), reason: `Fault of this speaker: ${text}` };
}

/** As stepSession(). A message of the peer that makes it fail has changed nothing, and ends its connection. */
export function stepOrEnd(
  session: Session,
  event: SessionEvent,
  config: SessionConfig,
  now: number,
  onFault: (fault: unknown) => void,
): SessionStep {
  try {
    return stepSession(session, event, config, now);
  } catch (fault) {
    if (event.kind !== 'connection' || event.event.kind !== 'message') throw fault;
    onFault(fault);
    return stepSession(session, { ...event, event: faultOf(fault) }, config, now);
  }
}
