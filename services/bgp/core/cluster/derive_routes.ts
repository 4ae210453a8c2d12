// What this node announces: its confirmed blocks, merged, and addresses borrowed from other nodes' blocks.
import {
  addressAt,
  comparePrefixes,
  formatPrefix,
  hostPrefix,
  type Prefix,
  parsePrefix,
} from '@calico/ip';
import {
  type BGPConfiguration,
  type BlockAffinity,
  bgpConfigurationFor,
  type IPAMBlock,
  type IPPool,
} from '@calico/model';
import { localPreferenceOf } from '../policy/route_filter.ts';
import type { PoolPolicy } from '../policy/types.ts';
import { isSingle, type ServiceRules } from '../services/service_rules.ts';
import type { OwnRoute } from '../speaker/config.ts';
import { mergeBlocks } from './merge_blocks.ts';
import type { NodeView } from './node_view.ts';
import type { ClusterResources } from './resources.ts';
import type { Surroundings } from './surroundings.ts';

/** Nodes with this label do not announce services. */
const EXCLUDING_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';
/** Metric of a route to a workload that does not move. */
const NORMAL_PRIORITY = 1024;

export function deriveOwnRoutes(
  node: string,
  resources: ClusterResources,
  { announced, rules }: Services,
): OwnRoute[] {
  const routes = new Map<string, OwnRoute>();
  const { blockAggregation } = bgpConfigurationFor(node, resources.bgpConfigurations);
  const preference = rules.localPreference;
  const add = (prefix: Prefix, kind: OwnRoute['kind']): void => {
    const localPreference = preference[prefix.family];
    routes.set(formatPrefix(prefix), { prefix, kind, localPreference });
  };
  for (const prefix of announced) add(prefix, 'service');
  for (const block of resources.ipamBlocks) {
    for (const prefix of borrowedFrom(block, node)) {
      add(prefix, 'borrowed');
    }
  }
  const blocks = resources.blockAffinities
    .filter((affinity) => isConfirmed(affinity, node))
    .map(({ spec }) => parsePrefix(spec.cidr));
  const routed = blockAggregation === 'Disabled' ? blocks : mergeBlocks(blocks, resources);
  for (const prefix of routed) add(prefix, 'block');
  return [...routes.values()].toSorted((a, b) => comparePrefixes(a.prefix, b.prefix));
}

function isConfirmed({ spec }: BlockAffinity, node: string): boolean {
  const isDeleted = spec.deleted === true || spec.deleted === 'true';
  return spec.node === node && spec.type === 'host' && spec.state === 'confirmed' && !isDeleted;
}

function borrowedFrom({ spec }: IPAMBlock, node: string): Prefix[] {
  if (spec.affinity === `host:${node}` || spec.deleted === true) return [];
  const mine = new Set<number>();
  for (const [index, { secondary, releasedAt }] of spec.attributes.entries()) {
    if (secondary?.['node'] === node && releasedAt === undefined) mine.add(index);
  }
  if (mine.size === 0) return [];
  const block = parsePrefix(spec.cidr);
  return spec.allocations.flatMap((attribute, ordinal) =>
    attribute !== null && mine.has(attribute) ? [hostPrefix(addressAt(block, ordinal))] : [],
  );
}

/** Widest first, so that the last that contains a prefix is the closest. */
export function derivePools(pools: readonly IPPool[]): (PoolPolicy & { readonly pool: IPPool })[] {
  return pools
    .map((pool) => ({
      prefix: parsePrefix(pool.spec.cidr),
      isEnabled: !pool.spec.disabled,
      isExported: !pool.spec.disableBGPExport,
      pool,
    }))
    .toSorted((a, b) => a.prefix.length - b.prefix.length || comparePrefixes(a.prefix, b.prefix));
}

export type Services = {
  /** Ranges that this node announces as every other does. */
  readonly announced: readonly Prefix[];
  /** What other nodes announce of these is passed on by reflectors. */
  readonly reflected: readonly Prefix[];
  /** Traffic into these is for kube-proxy: the kernel gets no route. */
  readonly all: readonly Prefix[];
  /** Which addresses are announced one by one. */
  readonly rules: ServiceRules;
};

export function deriveServices(
  spec: BGPConfiguration['spec'],
  { labels, kubernetesName }: Pick<NodeView, 'labels' | 'kubernetesName'>,
  { serviceClusterIPs }: Pick<Surroundings, 'serviceClusterIPs'>,
): Services {
  const cluster = [...prefixesOf(spec.serviceClusterIPs), ...serviceClusterIPs];
  const external = prefixesOf(spec.serviceExternalIPs);
  const loadBalancer = prefixesOf(spec.serviceLoadBalancerIPs);
  const isExcluded = EXCLUDING_LABEL in labels;
  const aggregatesLoadBalancers = spec.serviceLoadBalancerAggregation !== 'Disabled';
  const { ipv4NormalRoutePriority, ipv6NormalRoutePriority } = spec;
  const ranges = [...cluster, ...external, ...(aggregatesLoadBalancers ? loadBalancer : [])];
  return {
    announced: isExcluded ? [] : ranges.filter((range) => !isSingle(range)),
    rules: {
      node: kubernetesName,
      isExcluded,
      ranges: { cluster, external, 'load balancer': loadBalancer },
      aggregatesLoadBalancers,
      localPreference: {
        4: localPreferenceOf(ipv4NormalRoutePriority ?? NORMAL_PRIORITY),
        6: localPreferenceOf(ipv6NormalRoutePriority ?? NORMAL_PRIORITY),
      },
    },
    reflected: [...external, ...loadBalancer],
    all: [...cluster, ...external, ...loadBalancer],
  };
}

function prefixesOf(list: readonly { readonly cidr: string }[] | undefined): Prefix[] {
  return (list ?? []).map(({ cidr }) => parsePrefix(cidr, { hostBits: 'clear' }));
}
