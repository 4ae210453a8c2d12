// The connection is there, and the peer may speak first: DelayOpenTimer of RFC 4271 section 8.
//
// No NOTIFICATION goes out before our OPEN (SendNOTIFICATIONwithoutOPEN is off). What the peer's OPEN lacks is
// said after it, as if the time had just been over.
import { ErrorCode, type Open } from '@calico/bgp-wire';
import { makeOpen } from './open_message.ts';
import {
  acceptOpen,
  fail,
  giveUp,
  lost,
  receivedNotification,
  sendOpen,
  stay,
} from './transitions.ts';
import type { Connection, ConnectionEvent, SessionConfig, Transition } from './types.ts';

export function stepOpenDelayed(
  state: Connection & { readonly kind: 'open-delayed' },
  event: ConnectionEvent,
  config: SessionConfig,
): Transition {
  switch (event.kind) {
    case 'closed':
      return lost(event.reason);
    case 'timer':
      return event.timer === 'delay-open' ? sendOpen(config) : stay(state);
    case 'malformed': {
      const { notification, reason } = event;
      const isOpen = notification.code === ErrorCode.Open;
      return isOpen ? after(makeOpen(config), fail(notification, reason)) : giveUp(reason);
    }
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
    return giveUp(`The peer began with "${message.kind}" instead of OPEN`);
  }
  const localOpen = makeOpen(config);
  return after(localOpen, acceptOpen(config, localOpen, message));
}

function after(message: Open, answer: Transition): Transition {
  const cancel = { kind: 'cancel-timer', timer: 'delay-open' } as const;
  return { ...answer, effects: [cancel, { kind: 'send', message }, ...answer.effects] };
}
