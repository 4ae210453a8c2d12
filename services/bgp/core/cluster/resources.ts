import {
  type AnyResource,
  type BGPConfiguration,
  type BGPFilter,
  type BGPPeer,
  type BlockAffinity,
  type IPAMBlock,
  type IPPool,
  keyOf,
  type Node,
  type WorkloadEndpoint,
} from '@calico/model';
import type { ServiceChange } from '../services/service_index.ts';
import { given } from './node_view.ts';

/** What this service reads of the cluster. */
export type ClusterResources = {
  readonly nodes: readonly Node[];
  readonly bgpConfigurations: readonly BGPConfiguration[];
  readonly bgpPeers: readonly BGPPeer[];
  readonly bgpFilters: readonly BGPFilter[];
  readonly ipPools: readonly IPPool[];
  readonly blockAffinities: readonly BlockAffinity[];
  readonly ipamBlocks: readonly IPAMBlock[];
  /** Of this node, and only when a BGPPeer asks for them. */
  readonly workloadEndpoints: readonly WorkloadEndpoint[];
};

export const RESOURCE_KINDS = [
  'Node',
  'BGPConfiguration',
  'BGPPeer',
  'BGPFilter',
  'IPPool',
  'BlockAffinity',
  'IPAMBlock',
] as const;

/** What is announced of services comes of these, change by change: see core/services. */
export const SERVICE_KINDS = ['KubernetesService', 'KubernetesEndpointSlice'] as const;

/** Services and their slices as changes that bring them. */
export function servicesIn(all: readonly AnyResource[]): ServiceChange[] {
  return all.flatMap((resource) =>
    resource.kind === 'KubernetesService' || resource.kind === 'KubernetesEndpointSlice'
      ? [{ key: keyOf(resource), resource }]
      : [],
  );
}

/** Whether a BGPPeer selects workloads, of which there may be very many. */
export function asksForWorkloads(peers: Iterable<BGPPeer>): boolean {
  return [...peers].some(({ spec }) => given(spec.localWorkloadSelector));
}

/** Whether peers are at link-local addresses: the node's interfaces matter to them. */
export function asksForLinks(peers: readonly BGPPeer[] = []): boolean {
  return peers.some(({ spec }) => spec.peerIP?.includes('%') || given(spec.peerInterface));
}

/** Sorts resources by kind; those of other kinds are left out. */
export function resourcesOf(all: readonly AnyResource[]): ClusterResources {
  const lists = {
    Node: [] as Node[],
    BGPConfiguration: [] as BGPConfiguration[],
    BGPPeer: [] as BGPPeer[],
    BGPFilter: [] as BGPFilter[],
    IPPool: [] as IPPool[],
    BlockAffinity: [] as BlockAffinity[],
    IPAMBlock: [] as IPAMBlock[],
    WorkloadEndpoint: [] as WorkloadEndpoint[],
  };
  for (const resource of all) {
    if (resource.kind in lists) {
      (lists[resource.kind as keyof typeof lists] as AnyResource[]).push(resource);
    }
  }
  return {
    nodes: lists.Node,
    bgpConfigurations: lists.BGPConfiguration,
    bgpPeers: lists.BGPPeer,
    bgpFilters: lists.BGPFilter,
    ipPools: lists.IPPool,
    blockAffinities: lists.BlockAffinity,
    ipamBlocks: lists.IPAMBlock,
    workloadEndpoints: lists.WorkloadEndpoint,
  };
}
