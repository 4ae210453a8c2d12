// One type per kind, inferred from its schema after defaults are filled in.
import type { Kind } from './kinds.ts';
import type { Frozen, Resource } from './resource.ts';
import type { KindSchema, SCHEMAS } from './schemas.ts';

type SpecOf<K extends Kind> =
  (typeof SCHEMAS)[K] extends KindSchema<infer _Spec, infer Complete, infer _Status>
    ? Frozen<Complete>
    : never;
type StatusOf<K extends Kind> =
  (typeof SCHEMAS)[K] extends KindSchema<infer _Spec, infer _Complete, infer Status>
    ? Frozen<Status>
    : never;

export type ResourceOf<K extends Kind> = {
  [Each in K]: Resource<Each, SpecOf<Each>, StatusOf<Each>>;
}[K];
export type AnyResource = ResourceOf<Kind>;

export type BGPConfiguration = ResourceOf<'BGPConfiguration'>;
export type BGPFilter = ResourceOf<'BGPFilter'>;
export type BGPPeer = ResourceOf<'BGPPeer'>;
export type BlockAffinity = ResourceOf<'BlockAffinity'>;
export type CalicoNodeStatus = ResourceOf<'CalicoNodeStatus'>;
export type ClusterInformation = ResourceOf<'ClusterInformation'>;
export type FelixConfiguration = ResourceOf<'FelixConfiguration'>;
export type GlobalNetworkPolicy = ResourceOf<'GlobalNetworkPolicy'>;
export type GlobalNetworkSet = ResourceOf<'GlobalNetworkSet'>;
export type HostEndpoint = ResourceOf<'HostEndpoint'>;
export type IPAMBlock = ResourceOf<'IPAMBlock'>;
export type IPAMConfiguration = ResourceOf<'IPAMConfiguration'>;
export type IPPool = ResourceOf<'IPPool'>;
export type IPReservation = ResourceOf<'IPReservation'>;
export type KubeControllersConfiguration = ResourceOf<'KubeControllersConfiguration'>;
export type KubernetesEndpointSlice = ResourceOf<'KubernetesEndpointSlice'>;
export type KubernetesService = ResourceOf<'KubernetesService'>;
export type LiveMigration = ResourceOf<'LiveMigration'>;
export type NetworkPolicy = ResourceOf<'NetworkPolicy'>;
export type NetworkSet = ResourceOf<'NetworkSet'>;
export type Node = ResourceOf<'Node'>;
export type Profile = ResourceOf<'Profile'>;
export type StagedGlobalNetworkPolicy = ResourceOf<'StagedGlobalNetworkPolicy'>;
export type StagedKubernetesNetworkPolicy = ResourceOf<'StagedKubernetesNetworkPolicy'>;
export type StagedNetworkPolicy = ResourceOf<'StagedNetworkPolicy'>;
export type Tier = ResourceOf<'Tier'>;
export type WorkloadEndpoint = ResourceOf<'WorkloadEndpoint'>;

export type PolicySpec = NetworkPolicy['spec'];
export type PolicyRule = NonNullable<PolicySpec['ingress']>[number];
export type EntityRule = NonNullable<PolicyRule['source']>;
