// The ruleset while it is being changed: knows who refers to what, lets go of what nobody refers to, and says in the end
// what has changed.

import { referencesOf, targetOf } from '../compiler/references.ts';
import type { Chain, ElementValue, NamedSet, Ruleset } from '../compiler/ruleset.ts';
import { JoinedElements } from './joined_elements.ts';
import { LiveElements } from './live_elements.ts';
import { ABSENT, type Absent, VersionedMap } from './versioned_map.ts';

/** What has changed: chains and sets that differ, and of sets that stay the elements that differ. */
export type RulesetChanges = {
  /** All of it, as it is now. A value: later changes leave it as it is. */
  readonly ruleset: Ruleset;
  /** All of it, as it was. */
  readonly previous: Ruleset;
  readonly before: Ruleset;
  readonly after: Ruleset;
};

export type StoreParts = {
  /** Nobody uses these elements any more. */
  readonly onReleased: (elements: LiveElements) => void;
  readonly onChainGone: (name: string) => void;
};

export class RulesetStore {
  readonly #parts: StoreParts;
  #chains = new VersionedMap<Chain>();
  #sets = new VersionedMap<NamedSet>();
  #ruleset: Ruleset = { chains: this.#chains, sets: this.#sets };
  readonly #newChains = new Map<string, Chain | Absent>();
  readonly #newSets = new Map<string, NamedSet | Absent>();
  readonly #live = new Map<string, LiveElements>();
  readonly #nameOf = new Map<LiveElements, string>();
  readonly #touched = new Set<LiveElements>();
  readonly #replaced = new WeakSet<LiveElements>();
  /** How many rules and elements lead to a chain; who uses a set. */
  readonly #chainUses = new Map<string, number>();
  readonly #setUsers = new Map<string, Set<string>>();
  readonly #pinned = new Set<string>();
  readonly #unused = new Set<string>();
  readonly #bases = new Set<string>();
  /** Chains to be built again when somebody asks for them. */
  readonly #stale = new Set<string>();

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** For a ChainBuilder. */
  readonly chains = {
    has: (name: string): boolean => !this.#stale.has(name) && this.#chain(name) !== undefined,
    set: (name: string, chain: Chain): void => this.#putChain(name, chain),
  };

  /** For a SetBuilder. */
  readonly sets = {
    has: (name: string): boolean => {
      const live = this.#live.get(name);
      return this.#set(name) !== undefined && !(live && this.#replaced.has(live));
    },
    set: (name: string, set: NamedSet): void => this.#putSet(name, set),
  };

  /** To be given to LiveElements: their changes are taken along. */
  readonly touch = (elements: LiveElements): void => {
    this.#touched.add(elements);
  };

  markStale(chain: string): void {
    if (this.#chain(chain) !== undefined) this.#stale.add(chain);
  }

  isStale(chain: string): boolean {
    return this.#stale.has(chain);
  }

  /** Others have taken the place of these elements. Answers the chains that name their set; they are stale now. */
  replaced(elements: LiveElements): readonly string[] {
    this.#replaced.add(elements);
    return this.resized(elements);
  }

  /** They are of another size. Answers the chains whose rules they are in; these are stale now. */
  resized(elements: LiveElements): readonly string[] {
    const names = [elements, ...elements.watchers.keys()].map((one) => this.#nameOf.get(one) ?? '');
    const users = names.flatMap((name) => [...(this.#setUsers.get(name) ?? [])]);
    for (const user of users) this.markStale(user);
    return users;
  }

  /** Whether they are a set of their own. */
  isNamed(elements: LiveElements): boolean {
    return this.#nameOf.has(elements);
  }

  /** A set that stays without being referred to; elements are compared with those it has. */
  pin(name: string, { elements, ...options }: NamedSet): LiveElements {
    const live = this.#live.get(name) ?? new LiveElements(this.touch);
    live.replace(elements);
    this.#pinned.add(name);
    if (!this.sets.has(name)) this.#putSet(name, { ...options, elements: live });
    return live;
  }

  /** As pin(), for a verdict map: what its elements lead to is in use. */
  pinMap(name: string, map: NamedSet): void {
    const live = this.#live.get(name) ?? this.pin(name, { ...map, elements: new Map() });
    const gone = live.keys().filter((element) => !map.elements.has(element));
    for (const element of gone.toArray()) this.point(live, element, undefined);
    for (const [element, value] of map.elements) this.point(live, element, value);
  }

  /** Takes a pinned verdict map away. */
  unpinMap(name: string): void {
    const live = this.#live.get(name);
    if (live === undefined) return;
    for (const element of live.keys().toArray()) this.point(live, element, undefined);
    this.#pinned.delete(name);
    this.#unused.add(`set ${name}`);
  }

  /** The base chains that are put while `work` runs. */
  baseChainsOf(work: () => void): ReadonlySet<string> {
    this.#bases.clear();
    work();
    return new Set(this.#bases);
  }

  dropBase(name: string): void {
    const chain = this.#chain(name);
    if (chain !== undefined) this.#remove(name, chain);
  }

  /** Changes one element of a verdict map. */
  point(map: LiveElements, element: string, value: ElementValue): void {
    const before = map.get(element);
    if (before === value) return;
    this.#useChain(targetOf(value), 1);
    this.#useChain(targetOf(before), -1);
    if (value === undefined) map.delete(element);
    else map.set(element, value);
  }

  /** Ends the change. */
  take(): RulesetChanges {
    this.#collect();
    const before = { chains: new Map<string, Chain>(), sets: new Map<string, NamedSet>() };
    const after = { chains: new Map<string, Chain>(), sets: new Map<string, NamedSet>() };
    this.#takeChains(before.chains, after.chains);
    this.#takeSets(before.sets, after.sets);
    const previous = this.#ruleset;
    this.#ruleset = { chains: this.#chains, sets: this.#sets };
    return { ruleset: this.#ruleset, previous, before, after };
  }

  #takeChains(before: Map<string, Chain>, after: Map<string, Chain>): void {
    for (const [name, chain] of this.#newChains) {
      const old = this.#chains.get(name);
      if (chain === ABSENT ? old === undefined : old !== undefined && isSame(old, chain)) {
        this.#newChains.delete(name);
        continue;
      }
      if (old !== undefined) before.set(name, old);
      if (chain !== ABSENT) after.set(name, chain);
    }
    if (this.#newChains.size > 0) this.#chains = this.#chains.with(this.#newChains);
    this.#newChains.clear();
  }

  #takeSets(before: Map<string, NamedSet>, after: Map<string, NamedSet>): void {
    for (const live of this.#touched) {
      const known = live.current;
      const changes = live.take();
      const name = this.#nameOf.get(live);
      const old = name === undefined ? undefined : this.#sets.get(name);
      // Where other elements have taken the place of those that were there, the whole set is new.
      if (name === undefined || old?.elements !== known || changes === undefined) continue;
      before.set(name, { ...old, elements: changes.removed });
      after.set(name, { ...old, elements: changes.added });
      this.#newSets.set(name, { ...old, elements: live.current });
    }
    this.#touched.clear();
    for (const [name, set] of this.#newSets) {
      if (after.has(name)) continue;
      const old = this.#sets.get(name);
      const live = this.#live.get(name);
      if (old !== undefined) before.set(name, old);
      if (set === ABSENT) continue;
      const whole = live === undefined ? set : { ...set, elements: live.current };
      this.#newSets.set(name, whole);
      after.set(name, whole);
    }
    if (this.#newSets.size > 0) this.#sets = this.#sets.with(this.#newSets);
    this.#newSets.clear();
  }

  #putChain(name: string, chain: Chain): void {
    const { chains, sets } = referencesOf(chain);
    for (const target of chains) this.#useChain(target, 1);
    for (const set of sets) this.#useSet(set, name);
    const old = this.#chain(name);
    if (old !== undefined) this.#dropReferences(name, old, sets);
    this.#newChains.set(name, chain);
    if (chain.base !== undefined) this.#bases.add(name);
    this.#stale.delete(name);
    if (!this.#chainUses.has(name)) this.#unused.add(`chain ${name}`);
  }

  /** `kept`: sets that the chain goes on using. */
  #dropReferences(name: string, chain: Chain, kept: ReadonlySet<string>): void {
    const { chains, sets } = referencesOf(chain);
    for (const target of chains) this.#useChain(target, -1);
    for (const set of sets) if (!kept.has(set)) this.#leaveSet(set, name);
  }

  #putSet(name: string, set: NamedSet): void {
    this.#newSets.set(name, set);
    const before = this.#live.get(name);
    if (before !== undefined) this.#nameOf.delete(before);
    if (set.elements instanceof LiveElements) {
      this.#live.set(name, set.elements);
      this.#nameOf.set(set.elements, name);
    } else this.#live.delete(name);
    if (before instanceof JoinedElements) this.#parts.onReleased(before);
    if (!this.#setUsers.has(name)) this.#unused.add(`set ${name}`);
  }

  #chain(name: string): Chain | undefined {
    const value = this.#newChains.get(name) ?? this.#chains.get(name);
    return value === ABSENT ? undefined : value;
  }

  #set(name: string): NamedSet | undefined {
    const value = this.#newSets.get(name) ?? this.#sets.get(name);
    return value === ABSENT ? undefined : value;
  }

  #useChain(name: string | undefined, count: 1 | -1): void {
    if (name === undefined) return;
    const uses = (this.#chainUses.get(name) ?? 0) + count;
    if (uses > 0) this.#chainUses.set(name, uses);
    else {
      this.#chainUses.delete(name);
      this.#unused.add(`chain ${name}`);
    }
  }

  #useSet(set: string, chain: string): void {
    const users = this.#setUsers.get(set);
    if (users === undefined) this.#setUsers.set(set, new Set([chain]));
    else users.add(chain);
  }

  #leaveSet(set: string, chain: string): void {
    const users = this.#setUsers.get(set);
    users?.delete(chain);
    if (users?.size !== 0) return;
    this.#setUsers.delete(set);
    this.#unused.add(`set ${set}`);
  }

  // What goes may have been the last to refer to others, which then go as well.
  #collect(): void {
    for (const entry of this.#unused) {
      this.#unused.delete(entry);
      const at = entry.indexOf(' ');
      const name = entry.slice(at + 1);
      if (entry.startsWith('chain')) this.#collectChain(name);
      else this.#collectSet(name);
    }
  }

  #collectChain(name: string): void {
    const chain = this.#chain(name);
    if (chain === undefined || chain.base !== undefined || this.#chainUses.has(name)) return;
    this.#remove(name, chain);
  }

  #remove(name: string, chain: Chain): void {
    this.#dropReferences(name, chain, new Set());
    this.#newChains.set(name, ABSENT);
    this.#stale.delete(name);
    this.#parts.onChainGone(name);
  }

  #collectSet(name: string): void {
    const isKept = this.#setUsers.has(name) || this.#pinned.has(name);
    if (isKept || this.#set(name) === undefined) return;
    this.#newSets.set(name, ABSENT);
    const live = this.#live.get(name);
    this.#live.delete(name);
    if (live === undefined) return;
    this.#nameOf.delete(live);
    this.#parts.onReleased(live);
  }
}

function isSame(a: Chain, b: Chain): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
