// Some entries of an Adj-RIB-Out as UPDATE messages: withdrawals first, announcements grouped by their
// attributes. What one source must not be told is a part of its own.
import type { UpdatePacker, WireContext } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { PrefixTable } from './prefix_table.ts';
import type { ToldSets } from './told_sets.ts';

/** Bytes for all readers but the source `except`, or, when `only` is a source, for that one alone. */
export type Part = { readonly bytes: Uint8Array; readonly except: number; readonly only: number };

export const NOBODY = -1;

const FAMILIES: readonly Family[] = [4, 6];
const NONE = -1;

/** What one source is not told: prefixes by their attributes, in the order in which they came. */
class Group {
  /** First and last entry of each list; a list is a family's part of an attribute set, or its withdrawals. */
  readonly first: number[] = [];
  readonly last: number[] = [];
  /** Number of the attributes; NONE: withdrawn. */
  readonly attributes: number[] = [];
  readonly families: Family[] = [];
  readonly #lists = new Map<number, number>();
  /** The list that was asked for last. */
  #key = Number.NaN;
  #list = NONE;

  listOf(attributes: number, family: Family): number {
    const key = attributes * 2 + (family === 6 ? 1 : 0);
    if (key === this.#key) return this.#list;
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = this.first.push(NONE) - 1;
      this.last.push(NONE);
      this.attributes.push(attributes);
      this.families.push(family);
      this.#lists.set(key, list);
    }
    this.#key = key;
    this.#list = list;
    return list;
  }
}

export class UpdateBatch {
  readonly #prefixes: PrefixTable;
  readonly #attributes: ToldSets;
  readonly #packer: UpdatePacker;
  readonly #context: WireContext;
  readonly #groups = new Map<number, Group>();
  readonly #forgotten = new Map<number, Group>();
  #source = NOBODY - 1;
  #group = new Group();
  /** Entries: a prefix, its path identifier, and the next entry of the same list. */
  readonly #prefixOf: number[] = [];
  readonly #pathIdOf: number[] = [];
  readonly #next: number[] = [];

  constructor(
    tables: { readonly prefixes: PrefixTable; readonly attributes: ToldSets },
    packer: UpdatePacker,
    context: WireContext,
  ) {
    this.#prefixes = tables.prefixes;
    this.#attributes = tables.attributes;
    this.#packer = packer;
    this.#context = context;
  }

  announce(prefix: number, pathId: number, attributes: number, source: number): void {
    this.#add(this.#groupOf(source), prefix, pathId, attributes);
  }

  /** @param source has never been told, so it has nothing to forget; NOBODY: all have */
  withdraw(prefix: number, pathId: number, source: number): void {
    this.#add(this.#groupOf(source), prefix, pathId, NONE);
  }

  /** The source may know the path from somebody else, and is to forget it. */
  forget(prefix: number, pathId: number, source: number): void {
    const group = this.#forgotten.get(source) ?? new Group();
    this.#forgotten.set(source, group);
    this.#add(group, prefix, pathId, NONE);
  }

  #add(group: Group, prefix: number, pathId: number, attributes: number): void {
    const list = group.listOf(attributes, this.#prefixes.familyOf(prefix));
    const entry = this.#prefixOf.push(prefix) - 1;
    this.#pathIdOf.push(pathId);
    this.#next.push(NONE);
    const last = group.last[list] as number;
    if (last === NONE) group.first[list] = entry;
    else this.#next[last] = entry;
    group.last[list] = entry;
  }

  /** Writes everything. */
  encode(): Part[] {
    const parts: Part[] = [];
    for (const [source, group] of this.#forgotten) {
      this.#writeWithdrawn(group);
      parts.push(...this.#cut(NOBODY, source));
    }
    for (const [source, group] of this.#groups) {
      this.#writeWithdrawn(group);
      for (let list = 0; list < group.first.length; list++) {
        const attributes = group.attributes[list] as number;
        if (attributes !== NONE) this.#writeAnnounced(group, list, attributes);
      }
      parts.push(...this.#cut(source, NOBODY));
    }
    return parts;
  }

  #writeWithdrawn(group: Group): void {
    for (const family of FAMILIES) {
      const list = group.attributes.findIndex(
        (attributes, at) => attributes === NONE && group.families[at] === family,
      );
      if (list < 0) continue;
      this.#packer.beginWithdrawal(family);
      this.#writePrefixes(group.first[list] as number);
    }
  }

  #writeAnnounced(group: Group, list: number, id: number): void {
    const family = group.families[list] as Family;
    const nextHop = this.#attributes.nextHopOf(id);
    const bytes = this.#attributes.wireOf(id, this.#context);
    // Attributes that fit no message: the peer must not keep what it was told before.
    if (!this.#packer.beginAnnouncement(family, nextHop, bytes)) {
      this.#packer.beginWithdrawal(family);
    }
    this.#writePrefixes(group.first[list] as number);
  }

  #writePrefixes(first: number): void {
    const prefixes = this.#prefixes;
    for (let entry = first; entry !== NONE; entry = this.#next[entry] as number) {
      const prefix = this.#prefixOf[entry] as number;
      this.#packer.prefix(
        prefixes.lengthOf(prefix),
        prefixes.wordOf(prefix, 0),
        prefixes.wordOf(prefix, 1),
        prefixes.wordOf(prefix, 2),
        prefixes.wordOf(prefix, 3),
        this.#pathIdOf[entry] as number,
      );
    }
    this.#packer.end();
  }

  #cut(except: number, only: number): Part[] {
    const packer = this.#packer;
    if (packer.position === 0) return [];
    const bytes = packer.slice(0);
    packer.reset();
    return [{ bytes, except, only }];
  }

  #groupOf(source: number): Group {
    if (source === this.#source) return this.#group;
    let group = this.#groups.get(source);
    if (group === undefined) {
      group = new Group();
      this.#groups.set(source, group);
    }
    this.#source = source;
    this.#group = group;
    return group;
  }
}
