// Nexthop objects for next hops that very many routes take: the kernel installs such routes faster, and
// drops them all with one message. Few routes do without, as people read them more easily then.
import { BGP_ROUTE_PROTOCOL } from '@calico/model';
import {
  type Netlink,
  NetlinkError,
  type NextHopObject,
  type RouteTemplate,
} from '@calico/netlink';
import type { KernelHop } from '../core/kernel/types.ts';
import { withRow } from '../core/rib/columns.ts';

/** So many routes through a next hop before those that follow refer to an object. */
const MANY = 512;
/** Identifiers are taken from here on: other daemons count from 1. */
const FIRST_ID = 0x0c00_0000;

/** A next hop that routes of one family take, and the one object that may stand for it. */
export type Way = {
  readonly family: 4 | 6;
  readonly hop: KernelHop;
  /** Position among all. */
  readonly index: number;
  /** Routes that have been installed without the object. */
  plain: number;
  /** 0: there is none (yet). */
  id: number;
  /** Routes that refer to it. */
  routes: number;
  /** Requests for routes that take it, as their writer keeps them; empty whenever `id` changes. */
  readonly templates: (RouteTemplate | undefined)[];
};

export class NextHopObjects {
  readonly #netlink: Netlink;
  readonly #ways = new Map<string, Way>();
  readonly #all: Way[] = [];
  /** Index of the way whose object the route of a prefix refers to, plus one. */
  #ofPrefix = new Int32Array(64);
  /** Ways whose object no route refers to any more, unless one has come since. */
  #idle: Way[] = [];
  #isSupported = true;
  #nextId = 0;
  #last: Way | undefined;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  /** The way to a hop, with an object as soon as it is worth it; undefined: no object can stand for it. */
  wayFor(family: 4 | 6, hop: KernelHop): Way | undefined {
    if (hop.gateway !== undefined && hop.gateway.family !== family) return undefined;
    const way = this.#wayOf(family, hop);
    if (way.id === 0 && this.#isSupported) {
      way.plain += 1;
      if (way.plain > MANY) this.#setId(way, this.#create(way));
    }
    return way;
  }

  /** The route of the prefix is in the kernel, by the way's object; undefined: without one, or it is gone. */
  note(prefix: number, way: Way | undefined): void {
    this.#ofPrefix = withRow(this.#ofPrefix, prefix);
    const before = this.#all[(this.#ofPrefix[prefix] as number) - 1];
    if (before !== undefined) {
      before.routes -= 1;
      if (before.routes === 0) this.#idle.push(before);
    }
    this.#ofPrefix[prefix] = way === undefined ? 0 : way.index + 1;
    if (way !== undefined) way.routes += 1;
  }

  /** The kernel does not know the object any more: its interface was down, or somebody deleted it. */
  forget(way: Way): void {
    this.#setId(way, 0);
    // Routes that refer to it are told from those by the next object.
    const key = keyOf(way.family, way.hop);
    // It may have a successor, when batches that refer to it were waiting.
    if (this.#ways.get(key) === way) this.#ways.delete(key);
    this.#last = undefined;
  }

  /** Ways with objects that no route refers to; while none is being written. */
  takeIdle(): readonly Way[] {
    if (this.#idle.length === 0) return this.#idle;
    const idle = new Set(this.#idle.filter(({ id, routes }) => id !== 0 && routes === 0));
    this.#idle = [];
    return [...idle];
  }

  /** Somebody else has made, changed or deleted an object. @returns whether routes of ours may be others now */
  changed(action: 'new' | 'deleted', object: NextHopObject): boolean {
    const way = this.#all.find(({ id }) => id === object.id);
    // An earlier process may have left it, and its routes.
    if (way === undefined) return action === 'deleted' && object.protocol === BGP_ROUTE_PROTOCOL;
    const isSame = keyOf(object.family, toHop(object)) === keyOf(way.family, way.hop);
    if (action === 'new' && isSame) return false;
    this.forget(way);
    return true;
  }

  /** Routes by the position of the way whose object they refer to: none yet. */
  newCounts(): Int32Array {
    return new Int32Array(this.#all.length);
  }

  /** Adds the routes of these prefixes. */
  count(prefixes: Int32Array, counts: Int32Array): void {
    for (let index = 0; index < prefixes.length; index++) {
      const at = this.indexOf(prefixes[index] as number);
      if (at >= 0) (counts[at] as number) += 1;
    }
  }

  /** Ways with objects that no other routes refer to than those counted, if they are many. */
  onlyFor(counts: Int32Array): Way[] {
    return this.#all.filter(
      ({ id, index, routes }) => id !== 0 && routes >= MANY && counts[index] === routes,
    );
  }

  /** Position of the way whose object the prefix's route refers to, or -1. */
  indexOf(prefix: number): number {
    return (this.#ofPrefix[prefix] ?? 0) - 1;
  }

  #setId(way: Way, id: number): void {
    way.id = id;
    way.plain = 0;
    way.templates.length = 0;
  }

  #wayOf(family: 4 | 6, hop: KernelHop): Way {
    if (this.#last?.hop === hop && this.#last.family === family) return this.#last;
    const key = keyOf(family, hop);
    let way = this.#ways.get(key);
    if (way === undefined) {
      way = { family, hop, index: this.#all.length, plain: 0, id: 0, routes: 0, templates: [] };
      this.#ways.set(key, way);
      this.#all.push(way);
    }
    this.#last = way;
    return way;
  }

  /** 0 when the kernel does not do it. */
  #create({ family, hop }: Way): number {
    const { gateway, interfaceIndex, onlink } = hop;
    try {
      // An earlier process may have left some, which its routes still need.
      if (this.#nextId === 0) {
        const used = this.#netlink.nextHopObjects().map(({ id }) => id);
        this.#nextId = Math.max(FIRST_ID, ...used);
      }
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      this.#isSupported = false;
      return 0;
    }
    this.#nextId += 1;
    const nextHop = {
      id: this.#nextId,
      family,
      protocol: BGP_ROUTE_PROTOCOL,
      interfaceIndex,
      ...(gateway === undefined ? {} : { gateway }),
      ...(onlink ? { onlink } : {}),
    };
    const failures = this.#netlink.execute([{ kind: 'nexthop-add', nextHop }]);
    return failures.length === 0 ? this.#nextId : 0;
  }
}

function keyOf(family: 4 | 6, { gateway, interfaceIndex, onlink }: KernelHop): string {
  return `${family} ${gateway?.value} ${interfaceIndex} ${onlink}`;
}

function toHop({ gateway, interfaceIndex, onlink }: NextHopObject): KernelHop {
  return { gateway, interfaceIndex, onlink: onlink === true };
}
