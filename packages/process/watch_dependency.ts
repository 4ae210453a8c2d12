// Readiness: whether what a service cannot work without answers now.
import type { Clock } from '@calico/clock';
import type { HealthRegistry } from '@calico/telemetry';

const INTERVAL_MS = 2000;

/** Reports `name` as ready while `ask` resolves, and why not when it rejects, until the signal aborts. */
export async function watchDependency(options: {
  readonly name: string;
  /** A request that costs little: it is the answer that counts, asked for every 2 seconds. */
  readonly ask: (signal: AbortSignal) => Promise<unknown>;
  readonly clock: Clock;
  readonly health: HealthRegistry;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { name, ask, clock, health, signal } = options;
  while (!signal.aborted) {
    try {
      await ask(signal);
      health.report(name, { live: true, ready: true });
    } catch (cause) {
      if (signal.aborted) return;
      const detail = cause instanceof Error ? cause.message : String(cause);
      health.report(name, { live: true, ready: false, detail });
    }
    await clock.sleep(INTERVAL_MS, signal).catch(() => {});
  }
}
