// What felix needs from the outside, as interfaces. Adapters implement them; tests pass fakes.

import type { Address } from '@calico/ip';
import type {
  AnyResource,
  FelixConfiguration,
  GlobalNetworkPolicy,
  GlobalNetworkSet,
  HostEndpoint,
  IPPool,
  Kind,
  KubernetesEndpointSlice,
  NetworkPolicy,
  NetworkSet,
  Node,
  Profile,
  Tier,
  WorkloadEndpoint,
} from '@calico/model';
import type { Change } from './core/changes.ts';
import type { FoundDataplane } from './core/dataplane.ts';
import type { LocalEndpointStatus } from './core/endpoint_status.ts';
import type { PodFindings, PodInterface } from './core/pod_interface.ts';
import type { Ruleset as CompiledRuleset } from './core/policy/compiler/ruleset.ts';
import type { ConnectionChange, TrackedConnection } from './core/policy/connections/connection.ts';
import type { HostInterface } from './core/policy/host/host_endpoints.ts';
import type { Feature } from './core/pools.ts';
import type { TunnelKind } from './core/tunnel_addresses.ts';
import type { Uplink } from './core/uplinks.ts';
import type { Stock } from './core/warm_addresses.ts';
import type {
  AssignedAddress,
  LeasedAddress,
  Workload,
  WorkloadKey,
  WorkloadRecord,
} from './core/workload.ts';
import type { CheckRequest } from './core/workload_check.ts';
import type { RemoveRequest } from './core/workload_remover.ts';

/** Everything the packet filter is a function of. */
export type PolicyInputs = {
  /** Name of this node. */
  readonly node: string;
  /** False until a complete snapshot has been seen since the start: nothing may be pruned before. */
  readonly inSync: boolean;
  /** Endpoints of this node, the ones being added included. */
  readonly localEndpoints: readonly WorkloadEndpoint[];
  /** Endpoints of the whole cluster, this node's included. */
  readonly workloadEndpoints: readonly WorkloadEndpoint[];
  readonly networkPolicies: readonly NetworkPolicy[];
  readonly globalNetworkPolicies: readonly GlobalNetworkPolicy[];
  readonly tiers: readonly Tier[];
  readonly profiles: readonly Profile[];
  readonly networkSets: readonly NetworkSet[];
  readonly globalNetworkSets: readonly GlobalNetworkSet[];
  readonly ipPools: readonly IPPool[];
  readonly nodes: readonly Node[];
  /** The node's own configuration laid over the default one; undefined: defaults. */
  readonly felixConfiguration: FelixConfiguration | undefined;
  readonly hostEndpoints: readonly HostEndpoint[];
  /** What is behind services of Kubernetes that rules name. */
  readonly endpointSlices?: readonly KubernetesEndpointSlice[];
  /** Needed for host endpoints that name no interface but expect its addresses. */
  readonly hostInterfaces?: readonly HostInterface[];
};

/** The node's packet filter, table `inet calico`. */
export interface PacketFilter {
  /** Brings the packet filter to this state in one transaction; resolves when committed. */
  apply(inputs: PolicyInputs): Promise<void>;
  /** Calls with every ruleset that has come into force. */
  onCommitted(callback: (ruleset: CompiledRuleset, inputs: PolicyInputs) => void): void;
  /** Emits when someone else changed our table. */
  onTampered(callback: (detail: string) => void): void;
  close(): void;
}

/** Connections that the kernel tracks. */
export interface ConnectionTable {
  list(): TrackedConnection[];
  /** Marks or deletes entries; those that are gone are passed over. Throws when the kernel refuses. */
  change(changes: readonly ConnectionChange[]): void;
  /** Deletes every entry that has one of these addresses at an end. */
  forget(addresses: readonly string[]): void;
  /** The interface by which packets to the address leave; '' for an address of this host. */
  interfaceOf(address: Address): string;
}

/** What must survive a crash: one entry per container and interface, on disk when a call returns. */
export interface Journal {
  load(): WorkloadRecord[];
  write(record: WorkloadRecord): Promise<void>;
  /** Forgetting what is not there is fine. */
  forget(key: WorkloadKey): Promise<void>;
}

/** The endpoint of one container. */
export type EndpointId = {
  readonly namespace: string;
  readonly name: string;
  readonly containerId: string;
};

/** The IPAM service. Failures are WorkloadErrors. */
export interface AddressBook {
  /** Idempotent by handle. */
  assign(request: {
    readonly handle: string;
    readonly workload: Workload;
  }): Promise<readonly AssignedAddress[]>;
  /**
   * Releases what a workload held and deletes its endpoint, unless that is another container's by now, in
   * one transaction. Answers the revision of the deletion, 0n when there was none; undefined when only
   * the addresses were looked at.
   */
  releaseWorkload(request: {
    readonly handle: string;
    readonly endpoint: EndpointId | undefined;
    /** The outcome of an assignment is not known: it must not take effect afterwards. */
    readonly isInDoubt: boolean;
  }): Promise<bigint | undefined>;
  /** The one address of the node's tunnel device: what it has, if its pool still is for that, or another. */
  assignTunnel(tunnel: TunnelKind): Promise<string>;
  /** Gives it back; none is fine. */
  releaseTunnel(tunnel: TunnelKind): Promise<void>;
  /** Throws when the service cannot serve now. */
  probe(): Promise<void>;
}

/** Addresses that the node holds ready. Failures are WorkloadErrors. */
export interface LeaseSource {
  /** Renews what the node holds, and fills it up to `count` per family. */
  lease(families: readonly (4 | 6)[]): Promise<{
    readonly addresses: readonly LeasedAddress[];
    /** Those of them whose pools give no more to pods here: to be returned. */
    readonly retired: readonly string[];
    /** From when the request was made. */
    readonly leaseMs: number;
    readonly count: number;
  }>;
  /** Makes them the workload's. Throws `missing` when they are not the node's any more. */
  adopt(handle: string, workload: Workload, addresses: readonly LeasedAddress[]): Promise<void>;
  /** `wereUsed`: pods had them, so that they cool down. */
  returnLeased(addresses: readonly string[], wereUsed: boolean): Promise<void>;
}

/** What of these is on disk; a save is there when it resolves. */
export interface StockFile {
  load(): Stock | undefined;
  save(stock: Stock): Promise<void>;
}

/** Fields of a Node's spec; null takes one away. */
export type NodePatch = {
  readonly ipv4VXLANTunnelAddr?: string | null;
  readonly ipv6VXLANTunnelAddr?: string | null;
  readonly vxlanTunnelMACAddr?: string | null;
  readonly vxlanTunnelMACAddrV6?: string | null;
  readonly bgp?: { readonly ipv4IPIPTunnelAddr: string | null };
};

/** The api service. Failures are WorkloadErrors. */
export interface ResourceStore {
  /**
   * Creates or replaces; answers the revision. With a handle only while its addresses are the container's
   * in IPAM; throws `precondition` otherwise.
   */
  writeEndpoint(endpoint: WorkloadEndpoint, handle?: string): Promise<bigint>;
  /** Deletes it only when it belongs to this container; answers the revision when it did. */
  removeEndpoint(request: EndpointId): Promise<bigint | undefined>;
  patchNode(node: string, patch: NodePatch): Promise<void>;
  pool(name: string): Promise<IPPool | undefined>;
  /** Throws when the service cannot serve now. */
  probe(): Promise<void>;
}

/** Interfaces of pods. Every call is synchronous: the kernel answers at once. */
export interface PodNetwork {
  /** Throws `precondition` when the namespace does not exist or the interface name is taken. */
  check(pod: PodInterface): void;
  /** Creates the pair, or keeps the one that is there; throws `precondition`. */
  createPair(pod: PodInterface): void;
  configurePod(pod: PodInterface): void;
  configureHost(pod: PodInterface): void;
  inspect(pod: PodInterface): PodFindings;
  netnsExists(netns: string): boolean;
  /** True when `hostInterface` is the peer of `interfaceName` in the namespace. */
  isPair(pod: Pick<PodInterface, 'netns' | 'interfaceName' | 'hostInterface'>): boolean;
  deviceExists(hostInterface: string): boolean;
  /** No such device is fine. */
  deleteDevice(hostInterface: string): void;
}

/** The host's side of the kernel, what felix owns of it. */
export interface Kernel {
  /** `podAddresses` are looked for only when asked: that costs a dump of the addresses of all devices. */
  read(options: { readonly podAddresses: boolean }): FoundDataplane;
  /** Carries out what it can, in order; answers one sentence per failure. */
  execute(changes: readonly Change[]): KernelFailure[];
  /** The device that holds the address. */
  uplinkOf(address: string): Uplink | undefined;
  /** Interfaces of the host with their addresses, those of pods left out. */
  hostInterfaces(): HostInterface[];
  /** Brings the device in if it can; answers why not, by trying. */
  probe(feature: Feature): string | undefined;
  /** Settings of the whole node: forwarding. Answers what could not be set. */
  enableForwarding(): string[];
}

export type KernelFailure = {
  readonly change: Change;
  readonly reason: string;
  /** Set when the kernel does not know this kind of device. */
  readonly missing?: Feature;
};

export interface Random {
  bytes(count: number): Uint8Array;
}

/** What is known of the cluster, kept up to date by the feed. */
export interface ClusterView {
  /** True once a complete snapshot has been seen. */
  readonly inSync: boolean;
  /** Everything up to this etcd revision is in the view. */
  readonly revision: bigint;
  list<K extends Kind>(kind: K): readonly Extract<AnyResource, { readonly kind: K }>[];
}

export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export type StateReport = {
  readonly inSync: boolean;
  readonly appliedRevision: bigint;
  readonly endpoints: readonly LocalEndpointStatus[];
  readonly ready: boolean;
  readonly messages: readonly string[];
};

/** Tells the cluster what became true on this node. */
export interface Reporter {
  report(state: StateReport): void;
}

export type NodeInfo = {
  readonly node: string;
  readonly version: string;
  readonly appliedRevision: bigint;
  readonly inSync: boolean;
  readonly workloads: number;
  readonly missingFeatures: readonly string[];
};

export type Readiness = {
  /**
   * One sentence for each thing without which add() would fail; none: it can succeed. A locked datastore is none: it is
   * meant, holds on all nodes at once, and a runtime that hears of it counts the whole node as not ready.
   */
  readonly reasons: readonly string[];
  /** Pods that are there may have limited connectivity: the kernel is not as it should be. */
  readonly isLimited: boolean;
};

/** What callers on the node's socket may ask for. Refusals are WorkloadErrors. */
export interface FelixActions {
  add(workload: Workload): Promise<WorkloadRecord>;
  remove(request: RemoveRequest): Promise<void>;
  check(request: CheckRequest): void;
  /** Answers what was removed. */
  collectGarbage(network: string, valid: readonly WorkloadKey[]): Promise<readonly WorkloadKey[]>;
  readiness(): Promise<Readiness>;
  info(): NodeInfo;
}
