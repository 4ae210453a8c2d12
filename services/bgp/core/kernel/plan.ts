// Which kernel route a prefix gets. Ownership is the model's decision: blocks of VXLAN pools are
// Felix's, and this service keeps off them.
import {
  type Address,
  addressBits,
  formatAddress,
  formatPrefix,
  isLinkLocal,
  type Prefix,
  prefixContains,
} from '@calico/ip';
import { decideBlockRoute, type IPPool, type RouteDecision } from '@calico/model';
import type { Programs } from '../cluster/derive_speaker.ts';
import type { StaticRoute } from '../cluster/peer_book.ts';
import type { RibEntry } from '../rib/loc_rib.ts';
import { hopOrder, hopsOf, type KernelHop, type KernelTarget, type Resolution } from './types.ts';

export type PlanContext = {
  /** Widest first. */
  readonly pools: readonly PlanPool[];
  /** The network that the node's address is configured with. */
  readonly subnet: Readonly<Record<4 | 6, Prefix | undefined>>;
  readonly ownBlocks: ReadonlySet<string>;
  /** A peer or next hop that the blackhole of an aggregate would cut off. */
  readonly cutOffBy: (aggregate: Prefix) => string | undefined;
  /** Ranges of services: kube-proxy's. */
  readonly services: readonly Prefix[];
  /** `interfaceName`: where a link-local next hop is. */
  readonly resolve: (nextHop: Address, interfaceName?: string) => Resolution | undefined;
  /** Index of `tunl0`; undefined when it does not exist or is down. */
  readonly tunnelIndex: number | undefined;
};

/** What is decided of a pool once, for all routes to its blocks. */
export type PlanPool = {
  readonly prefix: Prefix;
  readonly pool: IPPool;
  readonly isProgrammed: boolean;
  /** For blocks of nodes on the link, and of others. */
  readonly near: RouteDecision;
  readonly far: RouteDecision;
};

export type Plan =
  | { readonly kind: 'route'; readonly target: KernelTarget }
  /** Not ours, or nothing to program. */
  | { readonly kind: 'none' }
  /** Ours, but the kernel lacks something. */
  | { readonly kind: 'impossible'; readonly problem: string };

const NONE: Plan = { kind: 'none' };
const IN_NO_POOL = decideBlockRoute(undefined, true);

/** @param programs what is in no pool is programmed anyway */
export function planPool(prefix: Prefix, pool: IPPool, programs: Programs): PlanPool {
  const isPlain = (pool.spec.ipipMode ?? 'Never') === 'Never';
  return {
    prefix,
    pool,
    isProgrammed: isPlain ? programs.noEncapsulation : programs.ipip,
    near: decideBlockRoute(pool, true),
    far: decideBlockRoute(pool, false),
  };
}

export function planRoute(entry: RibEntry, context: PlanContext): Plan {
  const { prefix, best } = entry;
  if (best === undefined) return NONE;
  if (best.source.kind === 'local') {
    // Felix routes the addresses; what is behind them, or inside of an aggregate, must not leave the node again.
    const isHeld = best.source.isAggregate || context.ownBlocks.has(formatPrefix(prefix));
    const isSingle = prefix.length === addressBits(prefix.family);
    const cutOff = best.source.isAggregate ? context.cutOffBy(prefix) : undefined;
    if (cutOff !== undefined) return { kind: 'impossible', problem: cutOffText(prefix, cutOff) };
    return isHeld && !isSingle ? { kind: 'route', target: { type: 'blackhole', hops: [] } } : NONE;
  }
  if (context.services.some((range) => prefixContains(range, prefix))) return NONE;
  const pool = context.pools.findLast((each) => prefixContains(each.prefix, prefix));
  if (pool?.isProgrammed === false) return NONE;
  const hops: KernelHop[] = [];
  let problem: string | undefined;
  for (const { data, source } of entry.multipath) {
    const onLink = source.kind === 'peer' ? source.interface : undefined;
    const planned = planHops(prefix, pool, data.nextHop, onLink, context);
    if (planned === undefined) return NONE;
    if (typeof planned === 'string') problem = planned;
    else hops.push(...planned);
  }
  if (hops.length > 0) {
    return { kind: 'route', target: { type: 'unicast', hops: distinct(hops) } };
  }
  return problem === undefined ? NONE : { kind: 'impossible', problem };
}

/** The way to an address through a gateway on the link; undefined when the gateway is not reached. */
export function planStatic(
  { gateway }: StaticRoute,
  resolve: PlanContext['resolve'],
): KernelTarget | undefined {
  const resolution = resolve(gateway);
  if (resolution === undefined || resolution.gateway !== undefined) return undefined;
  const hop = { gateway, interfaceIndex: resolution.interfaceIndex, onlink: false };
  return { type: 'unicast', hops: [hop] };
}

/** Undefined: Felix's; a text: why it cannot be. */
function planHops(
  prefix: Prefix,
  planned: PlanPool | undefined,
  nextHop: Address,
  interfaceName: string | undefined,
  { subnet, resolve, tunnelIndex }: PlanContext,
): readonly KernelHop[] | string | undefined {
  const network = subnet[nextHop.family];
  const isNeighbour =
    isLinkLocal(nextHop) || (network !== undefined && prefixContains(network, nextHop));
  const { owner, device, onlink } =
    planned === undefined ? IN_NO_POOL : isNeighbour ? planned.near : planned.far;
  if (owner === 'felix') return undefined;
  const what = (): string =>
    `Cannot route "${formatPrefix(prefix)}" via "${formatAddress(nextHop)}"`;
  if (device === 'tunl0') {
    if (nextHop.family !== prefix.family) return `${what()}: IPIP needs an IPv4 next hop`;
    if (tunnelIndex !== undefined) {
      return [{ gateway: nextHop, interfaceIndex: tunnelIndex, onlink }];
    }
    const { spec, metadata } = planned?.pool ?? {};
    return `${what()}: device "tunl0" does not exist or is down, which ipipMode "${spec?.ipipMode}" of pool "${metadata?.name}" needs`;
  }
  const resolution = resolve(nextHop, interfaceName);
  if (resolution === undefined) return `${what()}: the kernel has no route to the next hop`;
  return hopsOf(resolution).map((hop) => ({
    gateway: hop.gateway ?? nextHop,
    interfaceIndex: hop.interfaceIndex,
    onlink: onlink || hop.onlink === true,
  }));
}

function cutOffText(aggregate: Prefix, address: string): string {
  const what = `Cannot blackhole aggregate "${formatPrefix(aggregate)}"`;
  return `${what}: no route as specific leads to "${address}", a peer or next hop inside`;
}

function distinct(hops: readonly KernelHop[]): readonly KernelHop[] {
  return hops
    .toSorted(hopOrder)
    .filter((hop, index, all) => index === 0 || hopOrder(hop, all[index - 1] as KernelHop) !== 0);
}
