// What felix needs from the outside, as interfaces. Adapters implement them; tests pass fakes.
import type {
  FelixConfiguration,
  GlobalNetworkPolicy,
  GlobalNetworkSet,
  HostEndpoint,
  IPPool,
  NetworkPolicy,
  NetworkSet,
  Node,
  Profile,
  Tier,
  WorkloadEndpoint,
} from '@calico/model';

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
};

/** The node's packet filter, table `inet calico`. */
export interface PacketFilter {
  /** Brings the packet filter to this state in one transaction; resolves when committed. */
  apply(inputs: PolicyInputs): Promise<void>;
  /** Emits when someone else changed our table. */
  onTampered(callback: (detail: string) => void): void;
  close(): void;
}
