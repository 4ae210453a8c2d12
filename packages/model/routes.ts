// Which service programs the route to a block, and what the route looks like. Both node services ask
// here; there is no setting with which they could disagree.
import { type Address, type Family, type Prefix, parsePrefix, prefixContains } from '@calico/ip';
import type { IPPool } from './resources.ts';

/** rtm_protocol values of the two owners. */
export const BGP_ROUTE_PROTOCOL = 12;
const FELIX_ROUTE_PROTOCOL = 80;

/** VXLAN devices by IP version, which is the same inside (the pool) and outside (between nodes). */
export const VXLAN_DEVICES = { 4: 'vxlan.calico', 6: 'vxlan-v6.calico' } as const;

export type RouteDecision = {
  readonly owner: 'bgp' | 'felix';
  /** 'native': the device through which the node reaches the next hop. */
  readonly device: 'native' | 'tunl0' | (typeof VXLAN_DEVICES)[Family];
  readonly protocol: typeof BGP_ROUTE_PROTOCOL | typeof FELIX_ROUTE_PROTOCOL;
  readonly onlink: boolean;
};

const BGP_NATIVE = { owner: 'bgp', device: 'native', protocol: 12, onlink: false } as const;
const BGP_IPIP = { owner: 'bgp', device: 'tunl0', protocol: 12, onlink: true } as const;
const FELIX_NATIVE = { owner: 'felix', device: 'native', protocol: 80, onlink: false } as const;
const FELIX_VXLAN = {
  4: { owner: 'felix', device: VXLAN_DEVICES[4], protocol: 80, onlink: true },
  6: { owner: 'felix', device: VXLAN_DEVICES[6], protocol: 80, onlink: true },
} as const;

/**
 * The route to a block of another node.
 * @param pool the pool that holds the block; undefined when no pool does
 * @param isSameSubnet whether the other node is a layer-2 neighbour, see sameSubnet()
 */
export function decideBlockRoute(pool: IPPool | undefined, isSameSubnet: boolean): RouteDecision {
  const { vxlanMode = 'Never', ipipMode = 'Never', cidr = '' } = pool?.spec ?? {};
  if (vxlanMode !== 'Never') {
    const isNative = vxlanMode === 'CrossSubnet' && isSameSubnet;
    return isNative ? FELIX_NATIVE : FELIX_VXLAN[familyOf(cidr)];
  }
  if (ipipMode === 'Never' || (ipipMode === 'CrossSubnet' && isSameSubnet)) return BGP_NATIVE;
  return BGP_IPIP;
}

/** Whether the remote address lies in the network that the local node's address is configured with. */
export function sameSubnet(
  local: { readonly address: Address; readonly prefix: Prefix },
  remote: Address,
): boolean {
  return prefixContains(local.prefix, remote);
}

/** The pool with the longest CIDR that contains it, enabled or not. */
export function ipPoolOf(pools: Iterable<IPPool>, target: Address | Prefix): IPPool | undefined {
  let best: { readonly pool: IPPool; readonly length: number } | undefined;
  for (const pool of pools) {
    const cidr = parsePrefix(pool.spec.cidr);
    if (prefixContains(cidr, target) && cidr.length > (best?.length ?? -1)) {
      best = { pool, length: cidr.length };
    }
  }
  return best?.pool;
}

const IPIP_OVERHEAD = 20;
/** Outer headers: IPv4 20 or IPv6 40, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348). */
export const VXLAN_OVERHEAD = { 4: 50, 6: 70 } as const;

/** MTU of a pod with an address of the pool: what the encapsulation leaves of the underlay's. */
export function podMtu(pool: IPPool | undefined, underlayMtu: number): number {
  if (pool === undefined) return underlayMtu;
  const { vxlanMode, ipipMode, cidr } = pool.spec;
  if (vxlanMode !== 'Never') return underlayMtu - VXLAN_OVERHEAD[familyOf(cidr)];
  return ipipMode === 'Never' ? underlayMtu : underlayMtu - IPIP_OVERHEAD;
}

function familyOf(cidr: string): Family {
  return cidr.includes(':') ? 6 : 4;
}
