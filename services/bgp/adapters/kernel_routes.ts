// Table main over rtnetlink: the routes with protocol 12, and the ways to next hops.
import { type Address, addressBits, isLinkLocal } from '@calico/ip';
import { BGP_ROUTE_PROTOCOL } from '@calico/model';
import {
  type Batch,
  type Netlink,
  type NextHop,
  type NextHopObject,
  openBatch,
  openRouteDump,
  type Route,
} from '@calico/netlink';
import type { Defer } from '../core/host/turns.ts';
import type { ChangeBatch } from '../core/kernel/change_batch.ts';
import {
  hopOrder,
  type KernelHop,
  type KernelRoute,
  type OtherRoute,
  type Resolution,
  type WayHop,
} from '../core/kernel/types.ts';
import type { KernelNews, KernelPort, RouteFailure } from '../ports.ts';
import { IPV6_METRIC, KernelWriter, routeTo, TABLE_MAIN } from './kernel_writer.ts';

/** So long others wait for a reading of the table. */
const TURN_MS = 4;

export type KernelRoutesOptions = {
  /** What routes are written by; by default of the namespace of this process. */
  readonly batch?: Batch;
  readonly openDump?: typeof openRouteDump;
  /** Calls back when others have had their turn. */
  readonly defer?: Defer;
};

export class KernelRoutes implements KernelPort {
  readonly #netlink: Netlink;
  readonly #writer: KernelWriter;

  /** What the kernel's monitor need not hear of: routes are written by it. */
  readonly portId: number;

  readonly #openDump: typeof openRouteDump;
  readonly #defer: Defer;

  constructor(
    netlink: Netlink,
    {
      batch = openBatch(),
      openDump = openRouteDump,
      defer = setImmediate,
    }: KernelRoutesOptions = {},
  ) {
    this.portId = batch.portId;
    this.#openDump = openDump;
    this.#defer = defer;
    this.#netlink = netlink;
    this.#writer = new KernelWriter(netlink, batch, defer);
  }

  list(visitOther: (route: OtherRoute) => void = () => {}): KernelRoute[] {
    const list: KernelRoute[] = [];
    const each = sorter((route) => list.push(route), visitOther);
    for (const family of [4, 6] as const) {
      this.#netlink.routes({ family, table: TABLE_MAIN }).forEach(each);
    }
    return list;
  }

  read(
    visit: (route: KernelRoute) => void,
    visitOther: (route: OtherRoute) => void,
    done: (isWhole: boolean) => void,
  ): void {
    const each = sorter(visit, visitOther);
    const readFamily = (family: 4 | 6, isWhole: boolean): void => {
      const dump = this.#openDump({ family, table: TABLE_MAIN });
      const goOn = (): void => {
        const end = performance.now() + TURN_MS;
        let state = dump.next(each);
        while (state === 'more' && performance.now() < end) state = dump.next(each);
        if (state === 'more') return this.#defer(goOn);
        dump.close();
        const isStillWhole = isWhole && state === 'done';
        if (family === 4) readFamily(6, isStillWhole);
        else done(isStillWhole);
      };
      goOn();
    };
    readFamily(4, true);
  }

  apply(changes: ChangeBatch, done: (failures: readonly RouteFailure[]) => void): void {
    this.#writer.apply(changes, done);
  }

  removeWays(prefixes: Int32Array, onGone: (gone: Int32Array, isLast: boolean) => void): void {
    this.#writer.removeWays(prefixes, onGone);
  }

  removeStrays(routes: readonly KernelRoute[]): void {
    const requests = routes.map(
      ({ prefix: destination, type, metric }) =>
        ({
          kind: 'route',
          action: 'delete',
          route: { ...routeTo({ type, hops: [] }), destination, metric: metric ?? 0 },
        }) as const,
    );
    this.#netlink.execute(requests);
  }

  /** Somebody else has made, changed or deleted a nexthop object. @returns whether routes of ours may be others now */
  objectChanged(action: 'new' | 'deleted', object: NextHopObject): boolean {
    return this.#writer.objectChanged(action, object);
  }

  close(): void {
    this.#writer.close();
  }

  resolve(address: Address, interfaceName?: string): Resolution | undefined {
    if (isLinkLocal(address)) {
      const link = this.#netlink.linkByName(interfaceName ?? '');
      // Without a carrier nobody is there, and no route says so.
      if (!link?.up || !link.running) return undefined;
      return { gateway: undefined, interfaceIndex: link.index };
    }
    // The entry of the table says of each hop whether there is a carrier; the kernel sends there all the same.
    const entry = this.#netlink.entryFor(address);
    if (entry?.type !== 'unicast') return undefined;
    // Of a nexthop object the kernel may tell the number alone (nexthop_compat_mode 0).
    const isShown = entry.nextHops.length > 0;
    const nextHops = isShown ? entry.nextHops : (this.#netlink.routeTo(address)?.nextHops ?? []);
    // Of IPv6 routes the first depends on the address.
    const hops = nextHops.flatMap((each) => toWayHop(each) ?? []).toSorted(hopOrder);
    const [hop, ...others] = hops;
    if (hop === undefined) return undefined;
    const { metric } = entry;
    return {
      ...hop,
      ...(others.length === 0 ? {} : { others }),
      ...(metric === undefined ? {} : { metric }),
    };
  }

  isLocal(address: Address): boolean {
    return this.#netlink.routeTo(address)?.type === 'local';
  }

  matchedLength(address: Address): number | undefined {
    return this.#netlink.entryFor(address)?.destination.length;
  }

  linkLocalAddress(interfaceName: string): Address | undefined {
    const interfaceIndex = this.interfaceIndex(interfaceName);
    if (interfaceIndex === undefined) return undefined;
    const all = this.#netlink.addresses({ family: 6, interfaceIndex });
    return all.find(({ address }) => isLinkLocal(address))?.address;
  }

  interfaceIndex(name: string): number | undefined {
    const link = this.#netlink.linkByName(name);
    return link?.up ? link.index : undefined;
  }

  interfaceName(index: number): string | undefined {
    return this.#netlink.links().find((link) => link.index === index)?.name;
  }
}

/** Undefined for a route that is not of our kind. */
export function toKernelRoute(route: Route): KernelRoute | undefined {
  const { destination: prefix, type, table, protocol, metric = 0 } = route;
  if (table !== TABLE_MAIN || protocol !== BGP_ROUTE_PROTOCOL) return undefined;
  if (type !== 'blackhole' && type !== 'unicast') return undefined;
  const hops = type === 'blackhole' ? [] : route.nextHops.flatMap((hop) => toHop(hop) ?? []);
  const ours = { prefix, type, hops: hops.length > 1 ? hops.toSorted(hopOrder) : hops };
  return metric === (prefix.family === 4 ? 0 : IPV6_METRIC) ? ours : { ...ours, metric };
}

/** Undefined for a route of ours, and for those of other tables. */
export function toOtherRoute(route: Route): OtherRoute | undefined {
  const { destination: prefix, table, protocol, nextHops, metric = 0 } = route;
  if (table !== TABLE_MAIN || protocol === BGP_ROUTE_PROTOCOL) return undefined;
  const interfaceIndex = nextHops.length === 1 ? nextHops[0]?.interfaceIndex : undefined;
  return { prefix, metric, interfaceIndex };
}

function sorter(
  visit: (route: KernelRoute) => void,
  visitOther: (route: OtherRoute) => void,
): (route: Route) => void {
  return (route) => {
    const ours = toKernelRoute(route);
    if (ours !== undefined) return visit(ours);
    const other = toOtherRoute(route);
    if (other !== undefined) visitOther(other);
  };
}

/** What the kernel's monitor said about a route, as far as it matters here. */
export function newsOfRoute(action: 'new' | 'deleted', route: Route): KernelNews | undefined {
  const ours = toKernelRoute(route);
  if (ours !== undefined) return { kind: 'route', action, route: ours };
  if (route.table !== TABLE_MAIN && route.table !== 0) return undefined;
  const { family, value, length } = route.destination;
  // Mostly a pod's own route, and now and then that of a next hop on the link.
  const isHost = length === addressBits(family);
  const hasGateway = route.nextHops.some(({ gateway }) => gateway !== undefined);
  const other = toOtherRoute(route);
  return {
    kind: 'ways',
    ...(isHost && !hasGateway ? { to: { family, value } } : {}),
    ...(other === undefined ? {} : { other: { action, route: other } }),
  };
}

/** Undefined where nothing arrives. */
function toWayHop({ gateway, interfaceIndex, onlink, down }: NextHop): WayHop | undefined {
  if (interfaceIndex === undefined || down === true) return undefined;
  return { gateway, interfaceIndex, ...(onlink === true ? { onlink } : {}) };
}

function toHop({ gateway, interfaceIndex, onlink }: NextHop): KernelHop | undefined {
  if (interfaceIndex === undefined) return undefined;
  return { gateway, interfaceIndex, onlink: onlink === true };
}
