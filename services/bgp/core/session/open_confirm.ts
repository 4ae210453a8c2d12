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

export function stepOpenConfirm(
  state: Connection & { readonly kind: 'open-confirm' },
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
      return { next: { kind: 'established', negotiated }, effects: holdTimer(negotiated) };
    case 'notification':
      return receivedNotification(event.message);
    case 'open':
    case 'update':
    case 'route-refresh':
      return unexpected(StateMachineError.InOpenConfirm);
    default:
      return event.message satisfies never;
  }
}
