import { dial, greet, stay, waitForRetry } from './transitions.ts';
import { type ConnectionEvent, IDLE, type SessionConfig, type Transition } from './types.ts';

export function stepIdle(event: ConnectionEvent, config: SessionConfig): Transition {
  switch (event.kind) {
    case 'start':
      return config.isPassive ? waitForRetry(config) : dial(config);
    case 'opened':
      return greet(config);
    case 'closed':
    case 'timer':
    case 'message':
    case 'malformed':
    case 'blocked':
    case 'unblocked':
      return stay(IDLE); // late news of a connection that was given up
    default:
      return event satisfies never;
  }
}
