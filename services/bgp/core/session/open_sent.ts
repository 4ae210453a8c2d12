import { ErrorCode, StateMachineError, typeOf } from '@calico/bgp-wire';
import {
  acceptOpen,
  failWith,
  lost,
  receivedNotification,
  stay,
  unexpected,
  unreadable,
} from './transitions.ts';
import type { Connection, ConnectionEvent, SessionConfig, Transition } from './types.ts';

export function stepOpenSent(
  state: Connection & { readonly kind: 'open-sent' },
  event: ConnectionEvent,
  config: SessionConfig,
): Transition {
  switch (event.kind) {
    case 'closed':
      return lost(event.reason);
    case 'timer':
      return event.timer === 'hold' ? failWith(ErrorCode.HoldTimer, 0) : stay(state);
    case 'malformed':
      return unreadable(event, StateMachineError.InOpenSent);
    case 'start':
    case 'opened':
    case 'blocked':
    case 'unblocked':
      return stay(state);
    case 'message':
      break;
    default:
      return event satisfies never;
  }
  const { message } = event;
  if (message.kind === 'notification') return receivedNotification(message);
  if (message.kind !== 'open') {
    return unexpected(StateMachineError.InOpenSent, typeOf(message));
  }
  return acceptOpen(config, state.localOpen, message);
}
