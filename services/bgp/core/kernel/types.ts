// Kernel routes as this service wants and finds them: table main, protocol 12.
import type { Address, Family, Prefix } from '@calico/ip';

/** Where the packets of a route go. */
export type KernelTarget = Pick<KernelRoute, 'type' | 'hops'>;

export type KernelRoute = {
  readonly prefix: Prefix;
  readonly type: 'unicast' | 'blackhole';
  /** Empty for blackholes; several are an equal-cost multipath route, in the order of `hopOrder`. */
  readonly hops: readonly KernelHop[];
  /** Only where it is not the one that this service writes: another daemon's. */
  readonly metric?: number;
};

/** A route of table main that somebody else has. */
export type OtherRoute = {
  readonly prefix: Prefix;
  readonly metric: number;
  /** Where it goes with the interface; undefined for routes through none, or several. */
  readonly interfaceIndex: number | undefined;
};

export type KernelHop = {
  /** Undefined: the destination itself is on the link. */
  readonly gateway: Address | undefined;
  readonly interfaceIndex: number;
  readonly onlink: boolean;
};

/** A next hop of a route that leads to an address. */
export type WayHop = {
  /** Undefined: the address is on the link. */
  readonly gateway: Address | undefined;
  readonly interfaceIndex: number;
  /** The gateway is on the link whatever the routes say. Left out: no. */
  readonly onlink?: boolean;
};

/** How the kernel reaches an address that is a BGP next hop: by the first hop of a route, or any of several. */
export type Resolution = WayHop & {
  /** Left out: none. */
  readonly others?: readonly WayHop[];
  /** Of the kernel's route. Left out: 0, the most preferred. */
  readonly metric?: number;
};

/** The kernel's for IPv6 routes (include/uapi/linux/ipv6_route.h: IP6_RT_PRIO_USER). */
const IPV6_METRIC = 1_024;

/**
 * RFC 4271 section 9.1.2.2 (e): 0 on the link, otherwise the metric of the way beyond what it is by default, and at
 * least 1.
 * @param family of the next hop
 */
export function interiorCost(family: Family, { gateway, metric = 0 }: Resolution): number {
  if (gateway === undefined) return 0;
  return Math.max(1, family === 6 ? metric - IPV6_METRIC : metric);
}

/** All hops of the route that leads there. */
export function hopsOf(resolution: Resolution): readonly WayHop[] {
  return [resolution, ...(resolution.others ?? [])];
}

export function hopOrder(a: WayHop, b: WayHop): number {
  const byDevice = a.interfaceIndex - b.interfaceIndex;
  if (byDevice !== 0) return byDevice;
  const [x, y] = [a.gateway?.value ?? -1n, b.gateway?.value ?? -1n];
  return x < y ? -1 : x > y ? 1 : 0;
}

export function sameTarget(a: KernelTarget, b: KernelTarget): boolean {
  return (
    a.type === b.type &&
    a.hops.length === b.hops.length &&
    a.hops.every((hop, index) => sameHop(hop, b.hops[index]))
  );
}

function sameHop(a: KernelHop, b: KernelHop | undefined): boolean {
  return (
    b !== undefined &&
    a.interfaceIndex === b.interfaceIndex &&
    a.gateway?.value === b.gateway?.value &&
    a.onlink === b.onlink
  );
}

/** Equal texts mean the same target. */
export function targetText({ type, hops }: KernelTarget): string {
  const texts = hops.map(
    ({ gateway, interfaceIndex, onlink }) =>
      `${gateway === undefined ? '' : `${gateway.family} ${gateway.value}`} ${interfaceIndex} ${onlink}`,
  );
  return `${type}|${texts.join('|')}`;
}
