import { dial, greet, stay, waitForRetry } from './transitions.ts';
import type { Connection, ConnectionEvent, SessionConfig, Transition } from './types.ts';

export function stepConnect(
  state: Connection & { readonly kind: 'connect' },
  event: ConnectionEvent,
  config: SessionConfig,
): Transition {
  switch (event.kind) {
    case 'opened':
      return greet(config);
    case 'closed':
      // The retry timer is started anew, so that refused attempts keep their distance too.
      return {
        ...waitForRetry(config),
        failure: { kind: 'retry', reason: event.reason, isSilent: true, keepsRoutes: true },
      };
    case 'timer': {
      if (event.timer !== 'connect-retry') return stay(state);
      const again = dial(config);
      return {
        ...again,
        effects: [{ kind: 'close' }, ...again.effects],
        failure: {
          kind: 'retry',
          reason: 'Connection timed out',
          isSilent: true,
          keepsRoutes: true,
        },
      };
    }
    case 'start':
    case 'message':
    case 'malformed':
    case 'blocked':
    case 'unblocked':
      return stay(state);
    default:
      return event satisfies never;
  }
}
