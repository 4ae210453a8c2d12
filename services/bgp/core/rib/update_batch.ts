// Some entries of an Adj-RIB-Out as UPDATE messages: withdrawals first, announcements grouped by their
// attributes. What one source must not be told is a part of its own.
import type { UpdatePacker, WireContext } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { AttributeTable } from './attribute_table.ts';
import type { PrefixTable } from './prefix_table.ts';

/** Bytes for all readers but the source `except`, or, when `only` is a source, for that one alone. */
export type Part = { readonly bytes: Uint8Array; readonly except: number; readonly only: number };

export const NOBODY = -1;

/** Prefix and path identifier in turn. */
type List = number[];
type Lists = Readonly<Record<Family, List>>;

const FAMILIES: readonly Family[] = [4, 6];

function newLists(): Lists {
  return { 4: [], 6: [] };
}

/** What one source is not told. */
class Group {
  readonly withdrawn = newLists();
  readonly announced = new Map<number, Lists>();
  /** The lists of the attributes that came last. */
  #attributes = -1;
  #lists = newLists();

  listsOf(attributes: number): Lists {
    if (attributes === this.#attributes) return this.#lists;
    let lists = this.announced.get(attributes);
    if (lists === undefined) {
      lists = newLists();
      this.announced.set(attributes, lists);
    }
    this.#attributes = attributes;
    this.#lists = lists;
    return lists;
  }
}

export class UpdateBatch {
  readonly #prefixes: PrefixTable;
  readonly #attributes: AttributeTable;
  readonly #packer: UpdatePacker;
  readonly #context: WireContext;
  readonly #groups = new Map<number, Group>();
  readonly #forgotten = new Map<number, Lists>();
  #source = NOBODY - 1;
  #group = new Group();

  constructor(
    tables: { readonly prefixes: PrefixTable; readonly attributes: AttributeTable },
    packer: UpdatePacker,
    context: WireContext,
  ) {
    this.#prefixes = tables.prefixes;
    this.#attributes = tables.attributes;
    this.#packer = packer;
    this.#context = context;
  }

  announce(prefix: number, pathId: number, attributes: number, source: number): void {
    this.#groupOf(source).listsOf(attributes)[this.#prefixes.familyOf(prefix)].push(prefix, pathId);
  }

  /** @param source has never been told, so it has nothing to forget; NOBODY: all have */
  withdraw(prefix: number, pathId: number, source: number): void {
    this.#groupOf(source).withdrawn[this.#prefixes.familyOf(prefix)].push(prefix, pathId);
  }

  /** The source may know the path from somebody else, and is to forget it. */
  forget(prefix: number, pathId: number, source: number): void {
    const lists = this.#forgotten.get(source) ?? newLists();
    this.#forgotten.set(source, lists);
    lists[this.#prefixes.familyOf(prefix)].push(prefix, pathId);
  }

  /** Writes everything. */
  encode(): Part[] {
    const parts: Part[] = [];
    for (const [source, lists] of this.#forgotten) {
      for (const family of FAMILIES) this.#writeWithdrawn(family, lists[family]);
      parts.push(...this.#cut(NOBODY, source));
    }
    for (const [source, { withdrawn, announced }] of this.#groups) {
      for (const family of FAMILIES) this.#writeWithdrawn(family, withdrawn[family]);
      for (const [attributes, lists] of announced) {
        for (const family of FAMILIES) this.#writeAnnounced(family, lists[family], attributes);
      }
      parts.push(...this.#cut(source, NOBODY));
    }
    return parts;
  }

  #writeWithdrawn(family: Family, list: List): void {
    if (list.length === 0) return;
    this.#packer.beginWithdrawal(family);
    this.#writePrefixes(list);
  }

  #writeAnnounced(family: Family, list: List, id: number): void {
    if (list.length === 0) return;
    const nextHop = this.#attributes.nextHopOf(id);
    const bytes = this.#attributes.wireOf(id, this.#context);
    if (this.#packer.beginAnnouncement(family, nextHop, bytes)) this.#writePrefixes(list);
    // Attributes that fit no message: the peer must not keep what it was told before.
    else this.#writeWithdrawn(family, list);
  }

  #writePrefixes(list: List): void {
    const prefixes = this.#prefixes;
    for (let at = 0; at < list.length; at += 2) {
      const prefix = list[at] as number;
      this.#packer.prefix(
        prefixes.lengthOf(prefix),
        prefixes.wordOf(prefix, 0),
        prefixes.wordOf(prefix, 1),
        prefixes.wordOf(prefix, 2),
        prefixes.wordOf(prefix, 3),
        list[at + 1] as number,
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
