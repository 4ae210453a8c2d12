// What OpenConfirm and Established do alike: everything but messages.
import { ErrorCode } from '@calico/bgp-wire';
import { fail, failWith, lost, sendHoldTimer, sendKeepalive, stay } from './transitions.ts';
import type { Connection, ConnectionEvent, Negotiated, Transition } from './types.ts';

type NegotiatedConnection = Connection & { readonly negotiated: Negotiated };

export function stepNegotiated(
  state: NegotiatedConnection,
  event: Exclude<ConnectionEvent, { readonly kind: 'message' }>,
): Transition {
  const { negotiated } = state;
  switch (event.kind) {
    case 'closed':
      return lost(event.reason);
    case 'timer':
      if (event.timer === 'hold') return failWith(ErrorCode.HoldTimer, 0);
      if (event.timer === 'send-hold') return failWith(ErrorCode.SendHoldTimer, 0);
      if (event.timer !== 'keepalive') return stay(state);
      return { next: state, effects: sendKeepalive(negotiated) };
    case 'blocked':
      return { next: state, effects: sendHoldTimer(negotiated) };
    case 'unblocked':
      return { next: state, effects: [{ kind: 'cancel-timer', timer: 'send-hold' }] };
    case 'malformed':
      return fail(event.notification, event.reason);
    case 'start':
    case 'opened':
      return stay(state);
    default:
      return event satisfies never;
  }
}
