// What the node's socket offers, put together from the parts that do it.
import type { IPPool } from '@calico/model';
import type {
  AddressBook,
  ClusterView,
  FelixActions,
  Log,
  NodeInfo,
  PodNetwork,
  Readiness,
  ResourceStore,
} from '../ports.ts';
import type { Agent } from './agent.ts';
import type { HealthLog } from './health_log.ts';
import type { Workload, WorkloadKey, WorkloadRecord } from './workload.ts';
import type { WorkloadAdder } from './workload_adder.ts';
import type { WorkloadBook } from './workload_book.ts';
import { type CheckRequest, checkWorkload, garbage } from './workload_check.ts';
import type { RemoveRequest, WorkloadRemover } from './workload_remover.ts';

export type FelixParts = {
  readonly node: string;
  readonly version: string;
  readonly book: WorkloadBook;
  readonly adder: WorkloadAdder;
  readonly remover: WorkloadRemover;
  readonly agent: Agent;
  readonly view: ClusterView;
  readonly pods: PodNetwork;
  readonly addresses: AddressBook;
  readonly store: ResourceStore;
  readonly health: HealthLog;
  readonly log: Log;
  /** Whether addresses are there for a pod that ipam need not be asked for. */
  readonly hasReadyAddresses: () => boolean;
  /** Why this kernel cannot serve a pool. */
  readonly refusalOf: (pool: IPPool) => string | undefined;
};

export class Felix implements FelixActions {
  readonly #parts: FelixParts;

  constructor(parts: FelixParts) {
    this.#parts = parts;
  }

  async add(workload: Workload): Promise<WorkloadRecord> {
    const record = await this.#parts.adder.add(workload);
    this.#parts.log.info('workload added', {
      container: workload.containerId,
      pod: `${workload.namespace}/${workload.pod}`,
      interface: record.hostInterface,
      addresses: record.addresses.map(({ address }) => address),
    });
    return record;
  }

  async remove(request: RemoveRequest): Promise<void> {
    await this.#parts.remover.remove(request);
    this.#parts.log.info('workload removed', { container: request.containerId });
  }

  check(request: CheckRequest): void {
    const { book, pods } = this.#parts;
    const record = book.get(request);
    checkWorkload(request, record, pods, record === undefined || this.#isStored(record));
  }

  async collectGarbage(
    network: string,
    valid: readonly WorkloadKey[],
  ): Promise<readonly WorkloadKey[]> {
    const removed: WorkloadKey[] = [];
    for (const { workload } of garbage(this.#parts.book.records, network, valid)) {
      await this.remove(workload);
      const { containerId, interfaceName } = workload;
      removed.push({ containerId, interfaceName });
    }
    return removed;
  }

  async readiness(): Promise<Readiness> {
    const { view, health } = this.#parts;
    const reasons = [...(await this.#missingServices())];
    if (!view.inSync) reasons.push("the cluster's policies are not known yet");
    const enabled = view.list('IPPool').filter(({ spec }) => !spec.disabled);
    const refused = enabled.flatMap((pool) => this.#parts.refusalOf(pool) ?? []);
    // As long as one pool serves, pods can be connected.
    if (enabled.length > 0 && refused.length === enabled.length) reasons.push(...refused);
    reasons.push(...health.conditions('policy'));
    const isBroken = [...health.conditions('policy'), ...health.conditions('kernel')].length > 0;
    return { reasons, isLimited: reasons.length > 0 && isBroken };
  }

  /** While ipam is away addresses that are held ready make a pod, also without api. */
  async #missingServices(): Promise<readonly string[]> {
    const { addresses, store, hasReadyAddresses } = this.#parts;
    const [ipam, api] = await Promise.all([reasonOf(addresses.probe()), reasonOf(store.probe())]);
    if (ipam !== undefined && hasReadyAddresses()) return [];
    return [ipam, api].filter((reason) => reason !== undefined);
  }

  info(): NodeInfo {
    const { node, version, agent, view, book, health } = this.#parts;
    return {
      node,
      version,
      appliedRevision: agent.appliedRevision,
      inSync: view.inSync,
      workloads: book.records.filter(({ phase }) => phase === 'present').length,
      missingFeatures: health.conditions('pools'),
    };
  }

  /** What cannot be known counts as stored: it must not make a healthy pod fail its check. */
  #isStored(record: WorkloadRecord): boolean {
    const { view, book } = this.#parts;
    const { namespace, containerId } = record.workload;
    if (!view.inSync) return true;
    const written = book.writtenRevision(namespace, record.endpointName);
    if (written !== undefined && written > view.revision) return true;
    return view
      .list('WorkloadEndpoint')
      .some(
        ({ metadata, spec }) =>
          metadata.namespace === namespace &&
          metadata.name === record.endpointName &&
          spec.containerID === containerId,
      );
  }
}

async function reasonOf(probe: Promise<void>): Promise<string | undefined> {
  try {
    await probe;
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}
