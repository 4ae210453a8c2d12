// Nexthop objects for next hops that very many routes take: the kernel installs such routes faster, and
// drops them all with one message. Few routes do without, as people read them more easily then.
import { BGP_ROUTE_PROTOCOL } from '@calico/model';
import { type Netlink, NetlinkError } from '@calico/netlink';
import type { KernelHop } from '../core/kernel/types.ts';
import { withRow } from '../core/rib/columns.ts';

/** So many routes through a next hop before those that follow refer to an object. */
const MANY = 512;
/** Identifiers are taken from here on: other daemons count from 1. */
const FIRST_ID = 0x0c00_0000;

type Held = {
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
};

export class NextHopObjects {
  readonly #netlink: Netlink;
  readonly #held = new Map<string, Held>();
  readonly #all: Held[] = [];
  /** Index of the object that the route of a prefix refers to, plus one. */
  #ofPrefix = new Int32Array(64);
  #isSupported = true;
  #nextId = 0;
  #last: Held | undefined;

  constructor(netlink: Netlink) {
    this.#netlink = netlink;
  }

  /** Identifier for a route to this prefix's hop; undefined: write the hop itself. */
  idFor(family: 4 | 6, hop: KernelHop): number | undefined {
    if (!this.#isSupported) return undefined;
    if (hop.gateway !== undefined && hop.gateway.family !== family) return undefined;
    const held = this.#heldOf(family, hop);
    if (held.id === 0) {
      held.plain += 1;
      if (held.plain <= MANY) return undefined;
      held.id = this.#create(family, hop);
      held.plain = 0;
    }
    return held.id === 0 ? undefined : held.id;
  }

  /** The route of the prefix is in the kernel, by this object or without; undefined: it is gone. */
  note(prefix: number, family: 4 | 6, hop: KernelHop | undefined, id: number | undefined): void {
    this.#ofPrefix = withRow(this.#ofPrefix, prefix);
    const before = this.#all[(this.#ofPrefix[prefix] as number) - 1];
    if (before !== undefined) before.routes -= 1;
    this.#ofPrefix[prefix] = 0;
    if (id === undefined || hop === undefined) return;
    const held = this.#heldOf(family, hop);
    held.routes += 1;
    this.#ofPrefix[prefix] = held.index + 1;
  }

  /** The kernel does not know the object any more: its interface was down, or somebody deleted it. */
  forget(family: 4 | 6, hop: KernelHop): void {
    const held = this.#heldOf(family, hop);
    held.id = 0;
    held.plain = 0;
  }

  /**
   * Takes objects out that no other routes refer to than those of these prefixes.
   * @returns prefixes whose routes are gone with them
   */
  removeWhole(prefixes: readonly number[]): ReadonlySet<number> {
    const gone = new Set<number>();
    const members = new Map<Held, number[]>();
    for (const prefix of prefixes) {
      const held = this.#all[(this.#ofPrefix[prefix] ?? 0) - 1];
      if (held === undefined) continue;
      const list = members.get(held);
      if (list === undefined) members.set(held, [prefix]);
      else list.push(prefix);
    }
    for (const [held, list] of members) {
      if (list.length < MANY || list.length !== held.routes || held.id === 0) continue;
      const failures = this.#netlink.execute([{ kind: 'nexthop-delete', id: held.id }]);
      held.id = 0;
      if (failures.length > 0) continue;
      for (const prefix of list) gone.add(prefix);
    }
    return gone;
  }

  #heldOf(family: 4 | 6, hop: KernelHop): Held {
    if (this.#last?.hop === hop && this.#last.family === family) return this.#last;
    const text = `${family} ${hop.gateway?.value} ${hop.interfaceIndex} ${hop.onlink}`;
    let held = this.#held.get(text);
    if (held === undefined) {
      held = { family, hop, index: this.#all.length, plain: 0, id: 0, routes: 0 };
      this.#held.set(text, held);
      this.#all.push(held);
    }
    this.#last = held;
    return held;
  }

  /** 0 when the kernel does not do it. */
  #create(family: 4 | 6, { gateway, interfaceIndex, onlink }: KernelHop): number {
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
