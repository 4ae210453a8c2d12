// From the feed to the node: first what is remembered, then what is true, changes in bundles.
import type { CancelTimer, Clock } from '@calico/clock';
import type { FeedEvent, ResourceView } from '@calico/feed';
import type { AnyResource, Kind } from '@calico/model';
import {
  asksForWorkloads,
  type ClusterResources,
  RESOURCE_KINDS,
  resourcesOf,
} from '../core/cluster/resources.ts';
import type { ResourceCache } from './resource_cache.ts';

/** Changes that arrive within this time are looked at together. */
const BUNDLE_MS = 5;

export type FeedReaderOptions = {
  readonly node: string;
  readonly view: ResourceView;
  readonly clock: Clock;
  readonly cache: Pick<ResourceCache, 'load' | 'save'>;
  readonly onResources: (
    resources: ClusterResources,
    state: { readonly inSync: boolean; readonly revision: bigint },
  ) => void;
  /** The cluster has moved on without a change for this service. */
  readonly onRevision: (revision: bigint) => void;
};

export class FeedReader {
  readonly #options: FeedReaderOptions;
  #cancel: CancelTimer | undefined;
  #hasGiven = false;

  constructor(options: FeedReaderOptions) {
    this.#options = options;
  }

  /** Gives out what an earlier process has remembered, if anything. */
  async start(): Promise<void> {
    const remembered = await this.#options.cache.load();
    if (remembered.length === 0) return;
    this.#options.onResources(resourcesOf(remembered), { inSync: false, revision: 0n });
  }

  async run(events: AsyncIterable<FeedEvent>): Promise<void> {
    const { view, clock } = this.#options;
    for await (const event of events) {
      view.apply(event);
      // An incomplete snapshot says nothing about what is not in it.
      if (view.inSync) this.#cancel ??= clock.setTimer(BUNDLE_MS, () => this.#give());
    }
    this.#cancel?.();
  }

  /** Workloads come and go all the time: they are looked at only when a peer is one. */
  #kinds(): readonly Kind[] {
    const { view } = this.#options;
    return asksForWorkloads(view.list('BGPPeer'))
      ? [...RESOURCE_KINDS, 'WorkloadEndpoint']
      : RESOURCE_KINDS;
  }

  #isOurs(resource: AnyResource): boolean {
    return resource.kind !== 'WorkloadEndpoint' || resource.spec.node === this.#options.node;
  }

  #give(): void {
    this.#cancel = undefined;
    const { view, cache, onResources, onRevision } = this.#options;
    const changed = view.takeChangedKinds();
    const kinds = this.#kinds();
    if (this.#hasGiven && !kinds.some((kind) => changed.has(kind))) {
      onRevision(view.revision);
      return;
    }
    this.#hasGiven = true;
    const all = (): AnyResource[] =>
      kinds
        .flatMap((kind): AnyResource[] => [...view.list(kind)])
        .filter((each) => this.#isOurs(each));
    onResources(resourcesOf(all()), { inSync: true, revision: view.revision });
    cache.save(all);
  }
}
