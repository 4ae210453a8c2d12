// Readiness: whether the store answers.
import type { Clock } from '@calico/clock';
import type { HealthRegistry } from '@calico/telemetry';
import { CONFIG_KEY } from '../core/records/keys.ts';
import type { RecordStore } from '../ports.ts';

const INTERVAL_MS = 2000;

/** Reports `etcd` as ready or not until the signal aborts. */
export async function watchReachability(options: {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly health: HealthRegistry;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { store, clock, health, signal } = options;
  while (!signal.aborted) {
    try {
      await store.get(CONFIG_KEY, { signal });
      health.report('etcd', { live: true, ready: true });
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      health.report('etcd', { live: true, ready: false, detail });
    }
    await clock.sleep(INTERVAL_MS, signal).catch(() => {});
  }
}
