// What a node learns about the cluster, whichever way it came (NATS, or api when NATS is away).
import type { AnyResource, ResourceKey } from '@calico/model';

export type FeedEvent =
  /** A snapshot follows; what it does not hold when `in-sync` arrives is gone. */
  | { readonly kind: 'snapshot-start'; readonly source: FeedSource }
  | { readonly kind: 'put'; readonly resource: AnyResource; readonly revision: bigint }
  | { readonly kind: 'removed'; readonly key: ResourceKey; readonly revision: bigint }
  /** The state is complete up to this revision. Also sent for progress afterwards. */
  | { readonly kind: 'in-sync'; readonly revision: bigint }
  /** The source is away; what is known stays valid, changes may be missing. */
  | { readonly kind: 'source-lost'; readonly source: FeedSource; readonly reason: string };

export type FeedSource = 'nats' | 'api';
