import { MessageType, StateMachineError } from '@calico/bgp-wire';
import { stepNegotiated } from './negotiated.ts';
import { holdTimer, receivedNotification, unexpected } from './transitions.ts';
import type { Connection, ConnectionEvent, Transition } from './types.ts';

/** UPDATE and ROUTE-REFRESH only restart the hold timer here; session_stepper.ts passes them on. */
export function stepEstablished(
  state: Connection & { readonly kind: 'established' },
  event: ConnectionEvent,
): Transition {
  if (event.kind !== 'message') return stepNegotiated(state, event);
  switch (event.message.kind) {
    case 'keepalive':
    case 'update':
    case 'route-refresh':
      return { next: state, effects: holdTimer(state.negotiated) };
    case 'notification':
      return receivedNotification(event.message);
    case 'open':
      return unexpected(StateMachineError.InEstablished, MessageType.Open);
    default:
      return event.message satisfies never;
  }
}
