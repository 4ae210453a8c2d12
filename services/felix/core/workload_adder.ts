// ADD: every effect is recorded before it happens, and taken back when a later one fails.
import type { IPPool } from '@calico/model';
import type { AddressBook, Log, PodNetwork, Random, ResourceStore } from '../ports.ts';
import { podInterfaceOf } from './pod_interface.ts';
import type { StepHook } from './steps.ts';
import { type TunnelSettings, workloadMtu } from './tunnel_settings.ts';
import {
  type AssignedAddress,
  ipamHandle,
  type LeasedAddress,
  type Workload,
  type WorkloadRecord,
} from './workload.ts';
import type { WorkloadBook } from './workload_book.ts';
import { endpointNameOf, endpointOf, hostInterfaceOf } from './workload_endpoint.ts';
import { WorkloadError } from './workload_error.ts';
import type { WorkloadRemover } from './workload_remover.ts';

/** Ethernet's, for a node whose uplink is not known. */
const DEFAULT_UNDERLAY_MTU = 1500;

export type AdderPorts = {
  readonly node: string;
  readonly book: WorkloadBook;
  readonly remover: WorkloadRemover;
  readonly addresses: AddressBook;
  readonly store: ResourceStore;
  readonly pods: PodNetwork;
  readonly random: Random;
  readonly log: Log;
  readonly step: StepHook;
  /** Addresses that the node holds ready for such a workload; undefined: none. */
  readonly takeLeased: (workload: Workload) => Promise<readonly LeasedAddress[] | undefined>;
  /** Resolves when a complete snapshot of the cluster is known; throws `unavailable` when it takes too long. */
  readonly requireSync: () => Promise<void>;
  readonly pools: () => readonly IPPool[];
  /** Why no workload may be added at all now. */
  readonly locked: () => string | undefined;
  /** Why this kernel cannot serve a pool. */
  readonly refusalOf: (pool: IPPool) => string | undefined;
  readonly underlayMtu: () => number | undefined;
  readonly tunnelSettings: () => TunnelSettings;
  readonly commitPolicy: () => Promise<void>;
};

export class WorkloadAdder {
  readonly #ports: AdderPorts;

  constructor(ports: AdderPorts) {
    this.#ports = ports;
  }

  /** Resolves with the record when the pod is connected and its policy is in the kernel. */
  add(workload: Workload): Promise<WorkloadRecord> {
    const { book, pods, remover, requireSync } = this.#ports;
    return book.run(workload, async () => {
      const old = book.get(workload);
      if (old?.phase === 'present' && this.#isRepeat(old, workload)) return this.#repeat(old);
      const draft = this.#draft(workload);
      if (old === undefined) pods.check(podInterfaceOf(draft));
      this.#refuseKnownPools(workload);
      await requireSync();
      this.#refuseKnownPools(workload);
      if (old !== undefined) await remover.finishRemoval(old);
      await this.#supersede(draft);
      pods.check(podInterfaceOf(draft));
      this.#refuseLocked();
      // Nothing is awaited between this and the record in memory.
      this.#refuseTaken(draft);
      return this.#connect(draft);
    });
  }

  async #connect(draft: WorkloadRecord): Promise<WorkloadRecord> {
    const { book, pods, step, commitPolicy } = this.#ports;
    const { workload } = draft;
    let record = draft;
    const started = { endpoint: false, address: false };
    try {
      await book.put(record);
      step('add:intent-recorded');
      started.address = true;
      record = { ...record, ...(await this.#assign(record)) };
      // Before anything is awaited: an address that was held ready is in use from now on.
      book.note(record);
      step('add:address-assigned');
      const mtu = workload.mtu === 0 ? await this.#mtuFor(record.addresses) : workload.mtu;
      record = { ...record, mtu };
      book.note(record);
      // Before there is an interface: a pod never runs open.
      await commitPolicy().catch(commitFailed);
      step('add:policy-committed');
      // Nothing is awaited between this and the endpoint's way to the store: who sees that this node knows of the
      // lock may read all endpoints.
      this.#refuseLocked();
      const pod = podInterfaceOf(record);
      pods.createPair(pod);
      step('add:veth-created');
      pods.configurePod(pod);
      step('add:pod-configured');
      pods.configureHost(pod);
      step('add:host-configured');
      started.endpoint = true;
      await this.#writeEndpoint(record);
      step('add:endpoint-written');
      record = { ...record, phase: 'present' };
      await book.put(record);
      step('add:recorded');
      return record;
    } catch (cause) {
      await this.#undo(record, started, cause);
      throw cause;
    }
  }

  /** From IPAM; while that is away, of those that the node holds ready. */
  async #assign(record: WorkloadRecord): Promise<Pick<WorkloadRecord, 'addresses' | 'leased'>> {
    const { addresses, takeLeased, log } = this.#ports;
    const { handle, workload } = record;
    try {
      return { addresses: await addresses.assign({ handle, workload }) };
    } catch (cause) {
      const isAway = cause instanceof WorkloadError && cause.kind === 'unavailable';
      const leased = isAway ? await takeLeased(workload) : undefined;
      if (leased === undefined) throw cause;
      log.warn('ipam is away: the workload gets an address that was held ready', {
        container: workload.containerId,
        addresses: leased.map(({ address }) => address),
      });
      const assigned = leased.map(({ address, block, pool }) => ({ address, block, pool }));
      return { addresses: assigned, leased };
    }
  }

  /** With an address held ready the workload starts without; the endpoint is written afterwards. */
  async #writeEndpoint(record: WorkloadRecord): Promise<void> {
    const { node, book, store } = this.#ports;
    const { handle, leased } = record;
    const held = leased === undefined ? handle : undefined;
    try {
      const revision = await store.writeEndpoint(endpointOf(node, record), held);
      book.noteWritten(record.workload.namespace, record.endpointName, revision);
    } catch (cause) {
      const isAway = cause instanceof WorkloadError && cause.kind === 'unavailable';
      if (!isAway || leased === undefined) throw cause;
    }
  }

  async #undo(
    record: WorkloadRecord,
    pending: { readonly endpoint: boolean; readonly address: boolean },
    cause: unknown,
  ): Promise<void> {
    const { remover, log } = this.#ports;
    log.warn('adding a workload failed, taking it back', {
      container: record.workload.containerId,
      cause: String(cause),
    });
    // What is away now is not waited for: the caller gets its answer, the rest is tried again.
    const remoteNow = !(cause instanceof WorkloadError && cause.kind === 'unavailable');
    await remover
      .takeBack({ ...record, phase: 'removing', pending }, { remoteNow })
      .catch((error: unknown) => log.error('taking back failed', { cause: String(error) }));
  }

  /** The same call again: puts right what differs and answers as before. */
  async #repeat(record: WorkloadRecord): Promise<WorkloadRecord> {
    const { pods, commitPolicy } = this.#ports;
    const pod = podInterfaceOf(record);
    await commitPolicy().catch(commitFailed);
    pods.createPair(pod);
    pods.configurePod(pod);
    pods.configureHost(pod);
    return record;
  }

  /** False: the container lives in a new namespace, the old one is gone. */
  #isRepeat(old: WorkloadRecord, workload: Workload): boolean {
    const { containerId, interfaceName } = workload;
    const held = old.workload;
    for (const field of ['namespace', 'pod', 'network'] as const) {
      if (held[field] !== workload[field]) {
        throw new WorkloadError(
          'precondition',
          `Cannot add interface "${interfaceName}" of container "${containerId}": it exists with ${field} "${held[field]}" instead of "${workload[field]}"; remove it first`,
        );
      }
    }
    if (held.netns === workload.netns) return true;
    if (!this.#ports.pods.netnsExists(held.netns)) return false;
    throw new WorkloadError(
      'precondition',
      `Cannot add interface "${interfaceName}" of container "${containerId}": it exists in namespace "${held.netns}"; remove it first`,
    );
  }

  /**
   * The host interface's name comes from the pod's, so only one container at a time can have it.
   * A container whose namespace is gone (after a reboot) makes way for its successor.
   */
  async #supersede(draft: WorkloadRecord): Promise<void> {
    const { book, pods, remover } = this.#ports;
    for (const other of book.othersOn(draft)) {
      const { namespace, pod, netns } = other.workload;
      const isSamePod = namespace === draft.workload.namespace && pod === draft.workload.pod;
      if (other.phase === 'removing') {
        pods.deleteDevice(other.hostInterface);
      } else if (
        other.phase === 'present' &&
        isSamePod &&
        !book.isBusy(other.workload) &&
        !pods.netnsExists(netns)
      ) {
        const pending = { endpoint: true, address: true };
        await book.run(other.workload, () =>
          remover.takeBack({ ...other, phase: 'removing', pending }, { remoteNow: false }),
        );
      }
    }
  }

  #refuseTaken(draft: WorkloadRecord): void {
    const other = this.#ports.book.othersOn(draft).find(({ phase }) => phase !== 'removing');
    if (other === undefined) return;
    const { namespace, pod, containerId, interfaceName } = other.workload;
    const name = draft.workload.pod === '' ? draft.workload.containerId : draft.workload.pod;
    throw new WorkloadError(
      'precondition',
      `Cannot add "${draft.workload.namespace}/${name}": its host interface "${draft.hostInterface}" belongs to "${interfaceName}" of container "${containerId}" (pod "${namespace}/${pod}"); remove that first`,
    );
  }

  #draft(workload: Workload): WorkloadRecord {
    return {
      version: 1,
      phase: 'adding',
      workload,
      hostInterface: hostInterfaceOf(workload),
      containerMac: randomMac(this.#ports.random),
      endpointName: endpointNameOf(this.#ports.node, workload),
      handle: ipamHandle(workload.network, workload.containerId),
      addresses: [],
      mtu: 0,
      pending: { endpoint: false, address: false },
    };
  }

  #refuseLocked(): void {
    const reason = this.#ports.locked();
    if (reason !== undefined) {
      throw new WorkloadError('unavailable', `Cannot add the workload: ${reason}`);
    }
  }

  /** Early refusal, so that no address is taken, when every pool that could serve is refused. */
  #refuseKnownPools(workload: Workload): void {
    const { pools, refusalOf } = this.#ports;
    const wanted = [...workload.ipv4Pools, ...workload.ipv6Pools];
    const candidates = pools().filter(({ metadata, spec }) =>
      wanted.length === 0
        ? !spec.disabled && workload.requestedAddresses.length === 0
        : wanted.includes(metadata.name) || wanted.includes(spec.cidr),
    );
    const refusals = candidates.flatMap((pool) => refusalOf(pool) ?? []);
    if (candidates.length > 0 && refusals.length === candidates.length) {
      throw new WorkloadError('precondition', refusals.join('; '));
    }
  }

  /** The smallest that any of the addresses' pools needs. */
  async #mtuFor(assigned: readonly AssignedAddress[]): Promise<number> {
    const { pools, store, refusalOf, underlayMtu } = this.#ports;
    const underlay = underlayMtu() ?? DEFAULT_UNDERLAY_MTU;
    let smallest = underlay;
    for (const { pool: name } of assigned) {
      const known = pools().find(({ metadata }) => metadata.name === name);
      const pool = known ?? (await store.pool(name));
      const refusal = pool === undefined ? undefined : refusalOf(pool);
      if (refusal !== undefined) throw new WorkloadError('precondition', refusal);
      smallest = Math.min(smallest, workloadMtu(pool, this.#ports.tunnelSettings(), underlay));
    }
    return smallest;
  }
}

/** Locally administered, unicast (IEEE 802, bits 1 and 0 of the first octet). */
function randomMac(random: Random): string {
  const bytes = random.bytes(6);
  bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function commitFailed(cause: unknown): never {
  throw new WorkloadError(
    'unavailable',
    `Cannot commit the endpoint's policy: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}
