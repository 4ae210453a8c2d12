import { dial, sendOpen, stay, waitForRetry } from './transitions.ts';
import { type ConnectionEvent, IDLE, type SessionConfig, type Transition } from './types.ts';

export function stepIdle(event: ConnectionEvent, config: SessionConfig): Transition {
  switch (event.kind) {
    case 'start':
      return config.isPassive ? waitForRetry(config) : dial(config);
    case 'opened':
      return sendOpen(config);
    case 'closed':
    case 'timer':
    case 'message':
    case 'malformed':
      return stay(IDLE); // late news of a connection that was given up
    default:
      return event satisfies never;
  }
}
