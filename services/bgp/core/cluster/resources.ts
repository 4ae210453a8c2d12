import type {
  BGPConfiguration,
  BGPPeer,
  BlockAffinity,
  IPAMBlock,
  IPPool,
  Node,
} from '@calico/model';

/** What this service reads of the cluster. */
export type ClusterResources = {
  readonly nodes: readonly Node[];
  readonly bgpConfigurations: readonly BGPConfiguration[];
  readonly bgpPeers: readonly BGPPeer[];
  readonly ipPools: readonly IPPool[];
  readonly blockAffinities: readonly BlockAffinity[];
  readonly ipamBlocks: readonly IPAMBlock[];
};

export const RESOURCE_KINDS = [
  'Node',
  'BGPConfiguration',
  'BGPPeer',
  'IPPool',
  'BlockAffinity',
  'IPAMBlock',
] as const;
