// DEL, the undoing of a failed ADD, and the work that is left when ipam or api cannot be reached.
import type { WorkloadEndpoint } from '@calico/model';
import type { AddressBook, Log, PodNetwork, ResourceStore } from '../ports.ts';
import type { StepHook } from './steps.ts';
import {
  ipamHandle,
  NOTHING_PARTICULAR,
  type WorkloadKey,
  type WorkloadRecord,
} from './workload.ts';
import type { WorkloadBook } from './workload_book.ts';
import { endpointNameOf, hostInterfaceOf } from './workload_endpoint.ts';

export type RemoveRequest = WorkloadKey & {
  readonly netns: string;
  readonly network: string;
  readonly namespace: string;
  readonly pod: string;
};

/** Longer than the writing of an endpoint can be under way. */
const WATCHED_MS = 600_000;

export type RemoverPorts = {
  readonly node: string;
  readonly book: WorkloadBook;
  readonly addresses: AddressBook;
  readonly store: ResourceStore;
  readonly pods: PodNetwork;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly step: StepHook;
  /** Endpoints of this node as the view holds them. */
  readonly storedEndpoints: () => readonly WorkloadEndpoint[];
  readonly commitPolicy: () => Promise<void>;
  /** Packets of these addresses begin new connections from now on. */
  readonly forgetConnections: (addresses: readonly string[]) => void;
  /** Gives back addresses that IPAM still counts as the node's. */
  readonly returnLeased: (addresses: readonly string[]) => Promise<void>;
  /** Something is left to do later. */
  readonly onPending: () => void;
};

export class WorkloadRemover {
  readonly #ports: RemoverPorts;

  constructor(ports: RemoverPorts) {
    this.#ports = ports;
  }

  /** DEL. Succeeds always; what cannot be done now is done later. */
  remove(request: RemoveRequest): Promise<void> {
    const { book } = this.#ports;
    return book.run(request, async () => {
      const known = book.get(request);
      const record = known ?? this.#unknownRecord(request);
      const pending = { endpoint: true, address: record.workload.network !== '' };
      await this.takeBack({ ...record, phase: 'removing', pending }, { remoteNow: true });
    });
  }

  /** Local effects at once, remote ones now or later. The caller holds the key. */
  async takeBack(record: WorkloadRecord, options: { readonly remoteNow: boolean }): Promise<void> {
    const { book, step, commitPolicy, log } = this.#ports;
    await book.put(record);
    step('del:intent-recorded');
    this.#removeDevice(record);
    step('del:veth-deleted');
    await commitPolicy().catch((cause: unknown) =>
      log.warn('policy of a removed endpoint stays until the next commit', {
        cause: String(cause),
      }),
    );
    step('del:policy-committed');
    if (!options.remoteNow && (record.pending.endpoint || record.pending.address)) {
      this.#ports.onPending();
      return;
    }
    await this.#finish(record).catch((cause: unknown) => {
      log.warn('removal is not complete, will be tried again', {
        container: record.workload.containerId,
        cause: String(cause),
      });
      this.#ports.onPending();
    });
  }

  /** Does what is left of a removal; throws when it cannot. The caller holds the key. */
  async finishRemoval(record: WorkloadRecord): Promise<void> {
    if (record.phase !== 'removing') {
      const pending = { endpoint: true, address: true };
      await this.takeBack({ ...record, phase: 'removing', pending }, { remoteNow: false });
      await this.#finish({ ...record, phase: 'removing', pending });
      return;
    }
    if (this.#isWatching(record)) return;
    this.#removeDevice(record);
    await this.#finish(record);
  }

  /** Nothing is left of it but an endpoint that may still appear, and has not. */
  #isWatching({ watchedUntil, workload }: WorkloadRecord): boolean {
    const { now, storedEndpoints } = this.#ports;
    if (watchedUntil === undefined || now() >= watchedUntil) return false;
    return !storedEndpoints().some(
      ({ spec }) =>
        spec.containerID === workload.containerId && spec.endpoint === workload.interfaceName,
    );
  }

  /** Not when another attachment uses the name by now. */
  #removeDevice(record: WorkloadRecord): void {
    const { book, pods } = this.#ports;
    const isTaken = book.othersOn(record).some((other) => other.phase !== 'removing');
    if (record.hostInterface !== '' && !isTaken) pods.deleteDevice(record.hostInterface);
  }

  async #finish(record: WorkloadRecord): Promise<void> {
    const { book, store, addresses, step, now } = this.#ports;
    const { workload } = record;
    const endpoint =
      record.pending.endpoint && record.endpointName !== ''
        ? {
            namespace: workload.namespace,
            name: record.endpointName,
            containerId: workload.containerId,
          }
        : undefined;
    if (record.pending.address) {
      // Whoever gets an address next must not be reached through connections of this pod.
      this.#ports.forgetConnections(record.addresses.map(({ address }) => address));
    }
    // In one transaction: an address must not be given away while the cluster's policies still count it
    // as this pod's, and no endpoint stays behind that has lost its address.
    const { handle } = record;
    const released = record.pending.address
      ? await addresses.releaseWorkload({ handle, endpoint, isInDoubt: isInDoubt(record) })
      : undefined;
    step('del:address-released');
    let isFound = true;
    if (endpoint !== undefined) {
      const revision = released ?? (await store.removeEndpoint(endpoint)) ?? 0n;
      isFound = revision > 0n;
      if (isFound) book.noteDeleted({ ...endpoint, revision });
    }
    step('del:endpoint-deleted');
    const leased = record.pending.address ? record.leased : undefined;
    if (leased !== undefined) {
      await this.#ports.returnLeased(leased.map(({ address }) => address));
    }
    const { watchedUntil = now() + WATCHED_MS } = record;
    if (!isFound && isOfJournal(record) && now() < watchedUntil) {
      await this.#watch({ ...record, watchedUntil });
      return;
    }
    await book.forget(workload);
    step('del:forgotten');
  }

  /** Its writing may have got no answer, and take effect only now. */
  async #watch({ leased: _leased, ...record }: WorkloadRecord): Promise<void> {
    const { book, onPending } = this.#ports;
    const pending = { endpoint: true, address: false };
    await book.put({ ...record, hostInterface: '', addresses: [], pending });
    onPending();
  }

  /** For a removal of what the journal does not know: found by name and by container. */
  #unknownRecord(request: RemoveRequest): WorkloadRecord {
    const { node, storedEndpoints } = this.#ports;
    const namespace = request.namespace === '' ? 'default' : request.namespace;
    const stored = storedEndpoints().find(
      ({ spec }) =>
        spec.node === node &&
        spec.containerID === request.containerId &&
        spec.endpoint === request.interfaceName,
    );
    const workload = {
      ...request,
      namespace: stored?.metadata.namespace ?? namespace,
      ...NOTHING_PARTICULAR,
    };
    const hostInterface = stored?.spec.interfaceName ?? hostInterfaceOf(workload);
    const { netns, interfaceName } = request;
    // Without a journal entry the device is ours only if it leads to the container, or the store says so.
    const isOurs =
      stored !== undefined ||
      (netns !== '' && this.#ports.pods.isPair({ netns, interfaceName, hostInterface }));
    return {
      version: 1,
      phase: 'removing',
      workload,
      hostInterface: isOurs ? hostInterface : '',
      containerMac: '',
      endpointName: stored?.metadata.name ?? endpointNameOf(node, workload),
      handle: ipamHandle(request.network, request.containerId),
      addresses: [],
      mtu: 0,
      pending: { endpoint: true, address: request.network !== '' },
    };
  }
}

/** An assignment was sent, and its answer never came: the journal knows of no address. */
function isInDoubt(record: WorkloadRecord): boolean {
  const { addresses, leased } = record;
  return isOfJournal(record) && (addresses.length === 0 || leased !== undefined);
}

function isOfJournal({ containerMac }: WorkloadRecord): boolean {
  return containerMac !== '';
}
