// Table main over rtnetlink: the routes with protocol 12, and the ways to next hops.
import { type Address, addressBits, isLinkLocal } from '@calico/ip';
import { BGP_ROUTE_PROTOCOL } from '@calico/model';
import type { Netlink, NextHop, Request, Route } from '@calico/netlink';
import type { RouteChange } from '../core/kernel/changes.ts';
import {
  hopOrder,
  type KernelHop,
  type KernelRoute,
  type Resolution,
} from '../core/kernel/types.ts';
import type { KernelNews, KernelPort, RouteFailure } from '../ports.ts';
import { NextHopObjects } from './next_hop_objects.ts';

const TABLE_MAIN = 254;
/** Requests per system call; more only makes the event loop wait. */
const BATCH = 256;

export class KernelRoutes implements KernelPort {
  readonly #netlink: Netlink;
  readonly #objects: NextHopObjects;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
    this.#objects = new NextHopObjects(netlink);
  }

  list(): KernelRoute[] {
    return ([4, 6] as const).flatMap((family) =>
      this.#netlink
        .routes({ family, table: TABLE_MAIN, protocol: BGP_ROUTE_PROTOCOL })
        .flatMap((route) => toKernelRoute(route) ?? []),
    );
  }

  apply(changes: readonly RouteChange[]): RouteFailure[] {
    const removed = changes.flatMap(({ kind, id }) => (kind === 'delete' ? [id] : []));
    const gone = this.#objects.removeWhole(removed);
    const failures: RouteFailure[] = [];
    for (const { id, route } of changes) {
      if (gone.has(id)) this.#objects.note(id, route.prefix.family, undefined, undefined);
    }
    const left = gone.size === 0 ? changes : changes.filter(({ id }) => !gone.has(id));
    for (let from = 0; from < left.length; from += BATCH) {
      failures.push(...this.#applyBatch(left.slice(from, from + BATCH)));
    }
    return failures;
  }

  #applyBatch(part: readonly RouteChange[]): RouteFailure[] {
    const ids = part.map(({ kind, route }) => {
      const [hop] = route.hops;
      const isSingle = kind !== 'delete' && route.hops.length === 1 && hop !== undefined;
      return isSingle ? this.#objects.idFor(route.prefix.family, hop) : undefined;
    });
    const requests = part.map((change, index) => toRequest(change, ids[index]));
    const failures = new Map<number, RouteFailure>();
    for (const { index, code, message } of this.#netlink.execute(requests)) {
      const change = part[index];
      if (change !== undefined) failures.set(index, { change, code, message });
    }
    for (const [index, change] of part.entries()) {
      const failure = failures.get(index);
      const hop = change.kind === 'delete' ? undefined : change.route.hops[0];
      const { family } = change.route.prefix;
      if (failure !== undefined && ids[index] !== undefined && failure.code === 'EINVAL' && hop) {
        // The object is gone: once more without.
        this.#objects.forget(family, hop);
        const [again] = this.#netlink.execute([toRequest(change, undefined)]);
        if (again === undefined) failures.delete(index);
        ids[index] = undefined;
      }
      if (!failures.has(index)) this.#objects.note(change.id, family, hop, ids[index]);
    }
    return [...failures.values()];
  }

  resolve(address: Address, interfaceName?: string): Resolution | undefined {
    if (isLinkLocal(address)) {
      const interfaceIndex = this.interfaceIndex(interfaceName ?? '');
      return interfaceIndex === undefined ? undefined : { gateway: undefined, interfaceIndex };
    }
    const route = this.#netlink.routeTo(address);
    if (route === undefined || route.type !== 'unicast') return undefined;
    const [hop] = route.nextHops;
    if (hop?.interfaceIndex === undefined) return undefined;
    return { gateway: hop.gateway, interfaceIndex: hop.interfaceIndex };
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
  const { destination: prefix, type, table, protocol } = route;
  if (table !== TABLE_MAIN || protocol !== BGP_ROUTE_PROTOCOL) return undefined;
  if (type === 'blackhole') return { prefix, type, hops: [] };
  if (type !== 'unicast') return undefined;
  return {
    prefix,
    type,
    hops: route.nextHops.flatMap((hop) => toHop(hop) ?? []).toSorted(hopOrder),
  };
}

/** What the kernel's monitor said about a route, as far as it matters here. */
export function newsOfRoute(action: 'new' | 'deleted', route: Route): KernelNews | undefined {
  const ours = toKernelRoute(route);
  if (ours !== undefined) return { kind: 'route', action, route: ours };
  if (route.table !== TABLE_MAIN && route.table !== 0) return undefined;
  // A pod's own route: no BGP next hop is reached through it.
  const isHost = route.destination.length === addressBits(route.destination.family);
  const hasGateway = route.nextHops.some(({ gateway }) => gateway !== undefined);
  return isHost && !hasGateway ? undefined : { kind: 'ways' };
}

function toHop({ gateway, interfaceIndex, onlink }: NextHop): KernelHop | undefined {
  if (interfaceIndex === undefined) return undefined;
  return { gateway, interfaceIndex, onlink: onlink === true };
}

/** A removal names no next hop: what matters is the prefix and that the route is ours. */
function toRequest({ kind, route }: RouteChange, nextHopId: number | undefined): Request {
  const isReduced = kind === 'delete' || nextHopId !== undefined;
  const request = toRoute(isReduced ? { ...route, hops: [] } : route);
  return {
    kind: 'route',
    action: kind,
    route: nextHopId === undefined ? request : { ...request, nextHopId },
  };
}

function toRoute({ prefix, type, hops }: KernelRoute): Route {
  return {
    destination: prefix,
    type,
    table: TABLE_MAIN,
    protocol: BGP_ROUTE_PROTOCOL,
    scope: 'global',
    nextHops: hops.map(({ gateway, interfaceIndex, onlink }) => ({
      interfaceIndex,
      ...(gateway === undefined ? {} : { gateway }),
      ...(onlink ? { onlink } : {}),
    })),
  };
}
