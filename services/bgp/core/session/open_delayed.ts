// The connection is there, and the peer may speak first: DelayOpenTimer of RFC 4271 section 8.

import { makeOpen } from './open_message.ts';
import { acceptOpen, fail, lost, receivedNotification, sendOpen, stay } from './transitions.ts';
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
    case 'malformed':
      return fail(event.notification, event.reason);
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
  if (message.kind !== 'open') return lost(`The peer began with "${message.kind}" instead of OPEN`);
  const localOpen = makeOpen(config);
  const answer = acceptOpen(config, localOpen, message);
  const cancel = { kind: 'cancel-timer', timer: 'delay-open' } as const;
  return { ...answer, effects: [cancel, { kind: 'send', message: localOpen }, ...answer.effects] };
}
