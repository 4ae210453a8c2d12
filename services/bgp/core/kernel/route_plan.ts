// All routes that the kernel should have, kept up to date with the routing table.
import {
  type Address,
  formatAddress,
  formatPrefix,
  hostPrefix,
  isLinkLocal,
  type Prefix,
} from '@calico/ip';
import type { LocRib, RibEntry } from '../rib/loc_rib.ts';
import { type PrefixKey, prefixKey } from '../rib/prefix_key.ts';
import { type PlanContext, planRoute, planStatic } from './plan.ts';
import type { KernelRoute, Resolution } from './types.ts';

export type PlanInputs = Omit<PlanContext, 'resolve'>;

/** An address, with the interface that it is on when it is link-local. */
type NextHop = { readonly address: Address; readonly interfaceName: string | undefined };

export type Ask = (address: Address, interfaceName?: string) => Resolution | undefined;

export class RoutePlan {
  readonly #rib: LocRib;
  readonly #wanted = new Map<PrefixKey, KernelRoute>();
  readonly #problems = new Map<PrefixKey, string>();
  /** Next hops that routes ask for, by text; undefined while not resolved. */
  readonly #nextHops = new Map<string, NextHop & { resolution: Resolution | undefined }>();
  readonly #statics = new Set<PrefixKey>();
  #inputs: PlanInputs | undefined;

  constructor(rib: LocRib) {
    this.#rib = rib;
  }

  get wanted(): ReadonlyMap<PrefixKey, KernelRoute> {
    return this.#wanted;
  }

  /** Why some routes cannot be programmed. */
  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  problemOf(key: PrefixKey): string | undefined {
    return this.#problems.get(key);
  }

  /** Addresses whose way the kernel must be asked for, with resolve(). */
  get nextHops(): readonly Address[] {
    return [...this.#nextHops.values()].map(({ address }) => address);
  }

  /** Plans everything anew. */
  configure(inputs: PlanInputs): void {
    this.#inputs = inputs;
    this.#planAll();
  }

  /** @param ask the kernel's answer for an address; called for every next hop in use */
  resolve(ask: Ask): void {
    let isChanged = false;
    const used = this.#usedNextHops();
    for (const text of this.#nextHops.keys()) if (!used.has(text)) this.#nextHops.delete(text);
    for (const [text, nextHop] of used) {
      const resolution = ask(nextHop.address, nextHop.interfaceName);
      const before = this.#nextHops.get(text)?.resolution;
      if (sameResolution(before, resolution)) continue;
      this.#nextHops.set(text, { ...nextHop, resolution });
      isChanged = true;
    }
    if (isChanged) this.#planAll();
  }

  /** Plans these prefixes anew. `ask` is called for next hops not seen before. */
  update(prefixes: readonly Prefix[], ask: Ask): PrefixKey[] {
    const keys: PrefixKey[] = [];
    for (const prefix of prefixes) {
      const entry = this.#rib.get(prefix);
      for (const { data, source } of entry?.multipath ?? []) {
        if (source.kind === 'local') continue;
        const address = data.nextHop;
        const interfaceName = source.interface;
        const text = nextHopText(address, interfaceName);
        if (this.#nextHops.has(text)) continue;
        const resolution = ask(address, interfaceName);
        this.#nextHops.set(text, { address, interfaceName, resolution });
      }
      this.#plan(prefix, entry);
      keys.push(prefixKey(prefix));
    }
    return keys;
  }

  #planAll(): void {
    this.#wanted.clear();
    this.#problems.clear();
    this.#statics.clear();
    for (const each of this.#inputs?.statics ?? []) this.#planStatic(each);
    for (const entry of this.#rib.entries()) this.#plan(entry.prefix, entry);
  }

  #planStatic(route: PlanInputs['statics'][number]): void {
    const key = prefixKey(hostPrefix(route.address));
    this.#statics.add(key);
    const planned = planStatic(route, (address) => this.#resolutionOf(address));
    if (planned !== undefined) {
      this.#wanted.set(key, planned);
    } else {
      const [address, gateway] = [route.address, route.gateway].map(formatAddress);
      const problem = `Cannot reach peer "${address}" by "${gateway}": that is no neighbour`;
      this.#problems.set(key, problem);
    }
  }

  #resolutionOf(address: Address, interfaceName?: string): Resolution | undefined {
    return this.#nextHops.get(nextHopText(address, interfaceName))?.resolution;
  }

  #plan(prefix: Prefix, entry: RibEntry | undefined): void {
    const key = prefixKey(prefix);
    // What the operator has said about a peer's address is not overridden by what peers say.
    if (this.#statics.has(key)) return;
    this.#wanted.delete(key);
    this.#problems.delete(key);
    if (entry === undefined || this.#inputs === undefined) return;
    const plan = planRoute(entry, {
      ...this.#inputs,
      resolve: (address, interfaceName) => this.#resolutionOf(address, interfaceName),
    });
    if (plan.kind === 'route') this.#wanted.set(key, plan.route);
    if (plan.kind === 'impossible') this.#problems.set(key, plan.problem);
  }

  #usedNextHops(): Map<string, NextHop> {
    const used = new Map<string, NextHop>();
    const add = (address: Address, interfaceName: string | undefined): void => {
      used.set(nextHopText(address, interfaceName), { address, interfaceName });
    };
    for (const { gateway } of this.#inputs?.statics ?? []) add(gateway, undefined);
    for (const { multipath } of this.#rib.entries()) {
      for (const { data, source } of multipath) {
        if (source.kind === 'peer') add(data.nextHop, source.interface);
      }
    }
    return used;
  }
}

/** Texts of the own blocks, for PlanInputs. */
export function blockTexts(prefixes: Iterable<Prefix>): ReadonlySet<string> {
  return new Set(Array.from(prefixes, formatPrefix));
}

function nextHopText(address: Address, interfaceName: string | undefined): string {
  const text = formatAddress(address);
  return isLinkLocal(address) ? `${text}%${interfaceName}` : text;
}

function sameResolution(a: Resolution | undefined, b: Resolution | undefined): boolean {
  return a?.interfaceIndex === b?.interfaceIndex && a?.gateway?.value === b?.gateway?.value;
}
