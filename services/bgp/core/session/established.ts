import { ErrorCode, StateMachineError } from '@calico/bgp-wire';
import {
  fail,
  failWith,
  holdTimer,
  lost,
  receivedNotification,
  sendKeepalive,
  stay,
  unexpected,
} from './transitions.ts';
import type { Connection, ConnectionEvent, Transition } from './types.ts';

/** UPDATE and ROUTE-REFRESH only restart the hold timer here; session.ts passes them on. */
export function stepEstablished(
  state: Connection & { readonly kind: 'established' },
  event: ConnectionEvent,
): Transition {
  const { negotiated } = state;
  switch (event.kind) {
    case 'closed':
      return lost(event.reason);
    case 'timer':
      if (event.timer === 'hold') return failWith(ErrorCode.HoldTimer, 0);
      if (event.timer !== 'keepalive') return stay(state);
      return { next: state, effects: sendKeepalive(negotiated) };
    case 'malformed':
      return fail(event.notification, event.reason);
    case 'start':
    case 'opened':
      return stay(state);
    case 'message':
      break;
    default:
      return event satisfies never;
  }
  switch (event.message.kind) {
    case 'keepalive':
    case 'update':
    case 'route-refresh':
      return { next: state, effects: holdTimer(negotiated) };
    case 'notification':
      return receivedNotification(event.message);
    case 'open':
      return unexpected(StateMachineError.InEstablished);
    default:
      return event.message satisfies never;
  }
}
