import { StateMachineError, typeOf } from '@calico/bgp-wire';
import { stepNegotiated } from './negotiated.ts';
import { holdTimer, receivedNotification, unexpected, unreadable } from './transitions.ts';
import type { Connection, ConnectionEvent, Transition } from './types.ts';

export function stepOpenConfirm(
  state: Connection & { readonly kind: 'open-confirm' },
  event: ConnectionEvent,
): Transition {
  if (event.kind === 'malformed') return unreadable(event, StateMachineError.InOpenConfirm);
  if (event.kind !== 'message') return stepNegotiated(state, event);
  const { negotiated } = state;
  switch (event.message.kind) {
    case 'keepalive':
      return { next: { kind: 'established', negotiated }, effects: holdTimer(negotiated) };
    case 'notification':
      return receivedNotification(event.message);
    case 'open':
    case 'update':
    case 'route-refresh':
      return unexpected(StateMachineError.InOpenConfirm, typeOf(event.message));
    default:
      return event.message satisfies never;
  }
}
