// From the feed to the node: first what is remembered, then what is true, changes in bundles.
import type { CancelTimer, Clock } from '@calico/clock';
import type { FeedEvent, ResourceView, ViewChange } from '@calico/feed';
import type { AnyResource, Kind } from '@calico/model';
import {
  asksForWorkloads,
  type ClusterResources,
  RESOURCE_KINDS,
  resourcesOf,
  SERVICE_KINDS,
  servicesIn,
} from '../core/cluster/resources.ts';
import type { ServiceChange } from '../core/services/service_index.ts';
import type { ServiceNews } from '../core/services/service_intake.ts';
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
  /** What there is to know of services; before onResources of the same moment. */
  readonly onServices: (news: ServiceNews) => void;
  /** The cluster has moved on without a change for this service. */
  readonly onRevision: (revision: bigint) => void;
};

export class FeedReader {
  readonly #options: FeedReaderOptions;
  #cancel: CancelTimer | undefined;
  #hasGiven = false;
  /** Up to where the view's changes have been looked at. */
  #position = 0;

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

  /** Changes alone: there may be very many services. */
  #giveServices(changed: ReadonlySet<Kind>): void {
    const { view, onServices } = this.#options;
    const since = view.changesSince(this.#position);
    this.#position = view.position;
    if (this.#hasGiven && !SERVICE_KINDS.some((kind) => changed.has(kind))) return;
    if (since !== undefined) {
      onServices({ isAll: false, changes: since.flatMap(serviceChange) });
      return;
    }
    const all = SERVICE_KINDS.flatMap((kind): AnyResource[] => [...view.list(kind)]);
    onServices({ isAll: true, changes: servicesIn(all) });
  }

  #give(): void {
    this.#cancel = undefined;
    const { view, cache, onResources, onRevision } = this.#options;
    const changed = view.takeChangedKinds();
    this.#giveServices(changed);
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

function serviceChange({ before, after }: ViewChange): ServiceChange[] {
  if (after !== undefined) return servicesIn([after]);
  return servicesIn(before === undefined ? [] : [before]).map(({ key }) => ({
    key,
    resource: undefined,
  }));
}
