import { stepActive } from './active.ts';
import { stepConnect } from './connect.ts';
import { stepEstablished } from './established.ts';
import { stepIdle } from './idle.ts';
import { stepOpenConfirm } from './open_confirm.ts';
import { stepOpenDelayed } from './open_delayed.ts';
import { stepOpenSent } from './open_sent.ts';
import type { Connection, ConnectionEvent, SessionConfig, Transition } from './types.ts';

/** One connection's answer to one event. */
export function stepConnection(
  state: Connection,
  event: ConnectionEvent,
  config: SessionConfig,
): Transition {
  switch (state.kind) {
    case 'idle':
      return stepIdle(event, config);
    case 'connect':
      return stepConnect(state, event, config);
    case 'active':
      return stepActive(state, event, config);
    case 'open-delayed':
      return stepOpenDelayed(state, event, config);
    case 'open-sent':
      return stepOpenSent(state, event, config);
    case 'open-confirm':
      return stepOpenConfirm(state, event);
    case 'established':
      return stepEstablished(state, event);
    default:
      return state satisfies never;
  }
}
