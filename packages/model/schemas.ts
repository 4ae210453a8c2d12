// Per kind: the shape of its spec and status, and the rules about its name.
import * as z from 'zod';
import { bgpConfigurationSpec, completeBgpConfiguration } from './kinds/bgp_configuration.ts';
import { bgpFilterSpec } from './kinds/bgp_filter.ts';
import { bgpPeerSpec } from './kinds/bgp_peer.ts';
import { clusterInformationSpec, ipamConfigurationSpec } from './kinds/cluster.ts';
import { endpointSliceSpec } from './kinds/endpoint_slice.ts';
import { hostEndpointSpec, workloadEndpointSpec } from './kinds/endpoints.ts';
import { felixConfigurationSpec } from './kinds/felix_configuration.ts';
import { completeIpPool, ipPoolSpec, ipPoolStatus } from './kinds/ip_pool.ts';
import { blockAffinitySpec, ipamBlockSpec } from './kinds/ipam_block.ts';
import { stagedKubernetesNetworkPolicySpec } from './kinds/kubernetes_policy.ts';
import { kubernetesServiceSpec, kubernetesServiceStatus } from './kinds/kubernetes_service.ts';
import {
  completePolicy,
  globalNetworkPolicySpec,
  networkPolicySpec,
  stagedGlobalNetworkPolicySpec,
  stagedNetworkPolicySpec,
} from './kinds/network_policy.ts';
import { ipReservationSpec, networkSetSpec } from './kinds/network_set.ts';
import { nodeSpec, nodeStatus } from './kinds/node.ts';
import { profileSpec, tierSpec } from './kinds/profile.ts';
import type { ObjectMeta } from './resource.ts';
import type { SchemaStyle } from './schema_style.ts';

const anyStatus = z.record(z.string(), z.unknown());

/** Any spec, kept as it is. */
const anySpec = (_style: SchemaStyle) => z.looseObject({});

/** Names of singletons with exceptions per node: "default" and "node.<name>". */
const defaultOrNode = (name: string) =>
  name === 'default' || name.startsWith('node.')
    ? undefined
    : 'expected "default", or "node." followed by the name of a node';

const onlyDefault = (name: string) => (name === 'default' ? undefined : 'expected "default"');

const tierName = (name: string) =>
  /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
    ? undefined
    : 'expected at most 63 lower-case letters, digits and "-", without dots';

const anyName = () => undefined;

type NameRule = (name: string) => string | undefined;

export const SCHEMAS = {
  BGPConfiguration: define(bgpConfigurationSpec, completeBgpConfiguration, defaultOrNode),
  BGPFilter: define(bgpFilterSpec),
  BGPPeer: define(bgpPeerSpec),
  BlockAffinity: define(blockAffinitySpec),
  CalicoNodeStatus: define(anySpec),
  ClusterInformation: define(clusterInformationSpec, unchanged, onlyDefault),
  FelixConfiguration: define(felixConfigurationSpec, unchanged, defaultOrNode),
  GlobalNetworkPolicy: define(globalNetworkPolicySpec, completePolicy),
  GlobalNetworkSet: define(networkSetSpec),
  HostEndpoint: define(hostEndpointSpec),
  IPAMBlock: define(ipamBlockSpec),
  IPAMConfiguration: define(ipamConfigurationSpec, unchanged, onlyDefault),
  IPPool: define(ipPoolSpec, completeIpPool, anyName, ipPoolStatus),
  IPReservation: define(ipReservationSpec),
  KubeControllersConfiguration: define(anySpec, unchanged, onlyDefault),
  KubernetesEndpointSlice: define(endpointSliceSpec),
  KubernetesService: define(kubernetesServiceSpec, unchanged, anyName, kubernetesServiceStatus),
  LiveMigration: define(anySpec),
  NetworkPolicy: define(networkPolicySpec, completePolicy),
  NetworkSet: define(networkSetSpec),
  Node: define(nodeSpec, unchanged, anyName, nodeStatus),
  Profile: define(profileSpec),
  StagedGlobalNetworkPolicy: define(stagedGlobalNetworkPolicySpec, completePolicy),
  StagedKubernetesNetworkPolicy: define(stagedKubernetesNetworkPolicySpec),
  StagedNetworkPolicy: define(stagedNetworkPolicySpec, completePolicy),
  Tier: define(tierSpec, unchanged, tierName),
  WorkloadEndpoint: define(workloadEndpointSpec),
};

export type KindSchema<Spec, Complete, Status> = {
  readonly spec: (style: SchemaStyle) => z.ZodType<Spec>;
  readonly status: z.ZodType<Status>;
  /** Fills what depends on other fields. */
  readonly complete: (spec: Spec, metadata: ObjectMeta) => Complete;
  readonly nameProblem: NameRule;
};

function define<Spec, Complete = Spec, Status = Record<string, unknown>>(
  spec: (style: SchemaStyle) => z.ZodType<Spec>,
  complete?: (spec: Spec, metadata: ObjectMeta) => Complete,
  nameProblem: NameRule = anyName,
  status?: z.ZodType<Status>,
): KindSchema<Spec, Complete, Status> {
  return {
    spec,
    status: status ?? (anyStatus as unknown as z.ZodType<Status>),
    complete: complete ?? ((value) => value as unknown as Complete),
    nameProblem,
  };
}

function unchanged<Spec>(spec: Spec): Spec {
  return spec;
}
