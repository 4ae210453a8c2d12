// Readiness: whether etcd answers now, once what every cluster has is written.
import type { Clock } from '@calico/clock';
import type { Store } from '@calico/store';
import type { HealthRegistry } from '@calico/telemetry';

const INTERVAL_MS = 2000;
/** Any key does: it is the answer that counts. */
const PROBE = '/calico/resources/v3/projectcalico.org/clusterinformations/default';

/** Reports `etcd` as ready or not until the signal aborts. */
export async function watchReachability(options: {
  readonly store: Store;
  readonly clock: Clock;
  readonly health: HealthRegistry;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { store, clock, health, signal } = options;
  while (!signal.aborted) {
    try {
      await store.get(PROBE, { signal });
      health.report('etcd', { live: true, ready: true });
    } catch (cause) {
      if (signal.aborted) return;
      const detail = cause instanceof Error ? cause.message : String(cause);
      health.report('etcd', { live: true, ready: false, detail });
    }
    await clock.sleep(INTERVAL_MS, signal).catch(() => {});
  }
}
