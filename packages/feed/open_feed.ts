import type { Bus, BusLogger } from '@calico/bus';
import type { Clock } from '@calico/clock';
import type { ResourceService } from '@calico/proto/api/v1/resources';
import type { RpcClient } from '@calico/rpc';
import type { FeedEvent } from './events.ts';

/** What the feed uses of the api service. */
export type ResourceApi = Pick<RpcClient<typeof ResourceService>, 'list' | 'watch'>;

export type FeedOptions = {
  readonly bus: Pick<Bus, 'resources'>;
  /** Asked while NATS is away; undefined: the feed waits for NATS. */
  readonly api: ResourceApi | undefined;
  readonly clock: Clock;
  readonly logger: BusLogger;
  /** Ends the feed. */
  readonly signal: AbortSignal;
  /** How long NATS may be away before the api is asked. Default 3,000. */
  readonly patienceMs?: number | undefined;
  /** Uniform in [0, 1), for jitter. */
  readonly random?: (() => number) | undefined;
};

/**
 * The cluster's resources for ever, from NATS, or from the api's List and Watch while NATS is away.
 *
 * Events are differences: `snapshot-start` comes once, at the beginning; after that a new snapshot of
 * a source shows as what it changed. For one key revisions only grow; a source that lags behind never
 * brings an older state back. Ends when the signal is aborted; never throws.
 */
export async function* openFeed(options: FeedOptions): AsyncIterable<FeedEvent> {
  void options;
}
