// Metrics per pool, under upstream's names.
import type { Metrics } from '@calico/telemetry';
import type { UtilizationFeed } from './utilization_feed.ts';

const INTERVAL_MS = 5000;

/** Keeps the metrics up to date until the signal aborts. A pool that is gone stays at 0. */
export async function recordUtilization(
  feed: UtilizationFeed,
  metrics: Metrics,
  signal: AbortSignal,
): Promise<void> {
  const size = metrics.gauge('ipam_ippool_size', 'Addresses of the pool');
  const inUse = metrics.gauge('ipam_allocations_in_use', 'Addresses that are not free');
  const borrowed = metrics.gauge('ipam_allocations_borrowed', "Addresses out of others' blocks");
  const reserved = metrics.gauge('ipam_addresses_reserved', 'Addresses of reservations');
  const blocks = metrics.gauge('ipam_blocks', 'Blocks of the pool');
  for await (const change of feed.listings(INTERVAL_MS, signal)) {
    for (const pool of change.changed) {
      const labels = { ippool: pool.name };
      size.set(Number(pool.capacity), labels);
      inUse.set(pool.inUse, labels);
      borrowed.set(pool.borrowed, labels);
      reserved.set(Number(pool.reserved), labels);
      blocks.set(pool.blocks, labels);
    }
    for (const ippool of change.removed) {
      for (const gauge of [size, inUse, borrowed, reserved, blocks]) gauge.set(0, { ippool });
    }
  }
}
