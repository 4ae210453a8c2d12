import { dial, stay } from './transitions.ts';
import type { Connection, ConnectionEvent, SessionConfig, Transition } from './types.ts';

export function stepActive(
  state: Connection & { readonly kind: 'active' },
  event: ConnectionEvent,
  config: SessionConfig,
): Transition {
  const isRetry = event.kind === 'timer' && event.timer === 'connect-retry';
  return (isRetry || event.kind === 'start') && !config.isPassive ? dial(config) : stay(state);
}
