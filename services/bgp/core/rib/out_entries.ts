// What an Adj-RIB-Out tells, in columns: each entry is a prefix with a path, and a prefix has one entry, or one
// for each path (ADD-PATH). What is told no more stays as gone for those who are yet to hear of it.
import { copyRows, copySparseRows, emptyLike, RowAllocator, roomOf, withRow } from './columns.ts';
import type { PrefixTable } from './prefix_table.ts';
import type { ToldSets } from './told_sets.ts';

/** In place of attributes: nobody is told any more. */
export const GONE = -1;

export class OutEntries {
  readonly #prefixes: PrefixTable;
  readonly #attributes: ToldSets;
  #rows = new RowAllocator(1);
  /** First entry of a prefix; 0 for none. */
  #first = new Int32Array(64);
  /** Plus one: 0 is a free row. */
  #prefixOf = new Int32Array(64);
  #pathOf = new Int32Array(64);
  #attributesOf = new Int32Array(64);
  #sourceOf = new Int32Array(64);
  /** Next entry of the prefix; 0 at the end. */
  #sibling = new Int32Array(64);
  #flags = new Uint8Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  /** Entries that somebody is told; those of each source. */
  #size = 0;
  #told = new Int32Array(64);

  constructor(prefixes: PrefixTable, attributes: ToldSets) {
    this.#prefixes = prefixes;
    this.#attributes = attributes;
  }

  /** A table for the same entries in the same rows; copyTo() brings them. */
  beginCopy(): OutEntries {
    const copy = new OutEntries(this.#prefixes, this.#attributes);
    copy.#rows = this.#rows.copy();
    copy.#first = emptyLike(this.#first);
    copy.#prefixOf = emptyLike(this.#prefixOf);
    copy.#pathOf = emptyLike(this.#pathOf);
    copy.#attributesOf = emptyLike(this.#attributesOf);
    copy.#sourceOf = emptyLike(this.#sourceOf);
    copy.#sibling = emptyLike(this.#sibling);
    copy.#flags = emptyLike(this.#flags);
    copy.#room = this.#room;
    copy.#size = this.#size;
    copy.#told = this.#told.slice();
    return copy;
  }

  /**
   * Brings the entries from `start` to before `end`, and what is known of the prefixes with these numbers.
   * @param flags those that entries keep
   */
  copyTo(copy: OutEntries, start: number, end: number, flags: number): void {
    copyRows(this.#first, copy.#first, start, end);
    copyRows(this.#prefixOf, copy.#prefixOf, start, end);
    copySparseRows(this.#pathOf, copy.#pathOf, start, end);
    copyRows(this.#attributesOf, copy.#attributesOf, start, end);
    copyRows(this.#sourceOf, copy.#sourceOf, start, end);
    copySparseRows(this.#sibling, copy.#sibling, start, end);
    copyRows(this.#flags, copy.#flags, start, end);
    copy.#retain(start, Math.min(end, this.limit), flags);
  }

  #retain(start: number, end: number, flags: number): void {
    for (let entry = Math.max(start, 1); entry < end; entry++) {
      const prefix = this.prefixOf(entry);
      if (prefix < 0) continue;
      this.#prefixes.retain(prefix);
      const attributes = this.attributesOf(entry);
      if (attributes >= 0) this.#attributes.retain(attributes);
      (this.#flags[entry] as number) &= flags;
    }
  }

  /** Of what copyTo() has to bring, all is below. */
  get copyEnd(): number {
    return Math.max(this.limit, Math.min(this.#first.length, this.#prefixes.limit));
  }

  /** All entries are below; they begin at 1. */
  get limit(): number {
    return this.#rows.limit;
  }

  /** How many are not gone. */
  get size(): number {
    return this.#size;
  }

  /** How many of the source are not gone. */
  countOf(source: number): number {
    return this.#told[source] ?? 0;
  }

  /** The first entry of the prefix; 0: none. */
  firstOf(prefix: number): number {
    return prefix < this.#first.length ? (this.#first[prefix] as number) : 0;
  }

  /** The next entry of the same prefix; 0: none. */
  nextOf(entry: number): number {
    return this.#sibling[entry] as number;
  }

  /** Below 0: there is no such entry. */
  prefixOf(entry: number): number {
    return (this.#prefixOf[entry] as number) - 1;
  }

  /** Row of the path, for ADD-PATH; 0 where a prefix has one path. */
  pathOf(entry: number): number {
    return this.#pathOf[entry] as number;
  }

  /** Or GONE. */
  attributesOf(entry: number): number {
    return this.#attributesOf[entry] as number;
  }

  /** Who is not told. */
  sourceOf(entry: number): number {
    return this.#sourceOf[entry] as number;
  }

  isGone(entry: number): boolean {
    return this.#prefixOf[entry] !== 0 && this.#attributesOf[entry] === GONE;
  }

  has(entry: number, flag: number): boolean {
    return ((this.#flags[entry] as number) & flag) !== 0;
  }

  mark(entry: number, flag: number): void {
    (this.#flags[entry] as number) |= flag;
  }

  unmark(entry: number, flag: number): void {
    (this.#flags[entry] as number) &= ~flag;
  }

  /** Holds the prefix and the attributes. @returns the entry */
  add(prefix: number, path: number, attributes: number, source: number): number {
    const entry = this.#rows.take();
    this.#makeRoom(entry);
    if (prefix >= this.#first.length) this.#first = withRow(this.#first, prefix);
    this.#prefixes.retain(prefix);
    this.#prefixOf[entry] = prefix + 1;
    this.setPath(entry, path);
    this.#sourceOf[entry] = source;
    this.#flags[entry] = 0;
    const sibling = this.#first[prefix] as number;
    if (this.#sibling[entry] !== sibling) this.#sibling[entry] = sibling;
    this.#first[prefix] = entry;
    this.#attributes.retain(attributes);
    this.#attributesOf[entry] = attributes;
    this.#count(source, 1);
    return entry;
  }

  setPath(entry: number, path: number): void {
    // Columns of zeros cost nothing as long as they are not written, see withRow().
    if (this.#pathOf[entry] !== path) this.#pathOf[entry] = path;
  }

  /** @param attributes GONE leaves the source as it was */
  setAttributes(entry: number, attributes: number, source: number): void {
    const before = this.#attributesOf[entry] as number;
    if (attributes >= 0) {
      this.#attributes.retain(attributes);
      this.#count(source, 1);
    }
    if (before >= 0) {
      this.#attributes.release(before);
      this.#count(this.#sourceOf[entry] as number, -1);
    }
    this.#attributesOf[entry] = attributes;
    if (attributes >= 0) this.#sourceOf[entry] = source;
  }

  remove(entry: number): void {
    this.setAttributes(entry, GONE, 0);
    const prefix = this.prefixOf(entry);
    let before = this.#first[prefix] as number;
    if (before === entry) {
      this.#first[prefix] = this.#sibling[entry] as number;
    } else {
      while (this.#sibling[before] !== entry) before = this.#sibling[before] as number;
      this.#sibling[before] = this.#sibling[entry] as number;
    }
    this.#prefixOf[entry] = 0;
    this.#prefixes.release(prefix);
    this.#rows.give(entry);
  }

  #count(source: number, by: 1 | -1): void {
    this.#size += by;
    if (source >= this.#told.length) this.#told = withRow(this.#told, source);
    (this.#told[source] as number) += by;
  }

  #makeRoom(entry: number): void {
    if (entry < this.#room) return;
    this.#prefixOf = withRow(this.#prefixOf, entry);
    this.#pathOf = withRow(this.#pathOf, entry);
    this.#attributesOf = withRow(this.#attributesOf, entry);
    this.#sourceOf = withRow(this.#sourceOf, entry);
    this.#sibling = withRow(this.#sibling, entry);
    this.#flags = withRow(this.#flags, entry);
    this.#room = roomOf(
      this.#prefixOf,
      this.#pathOf,
      this.#attributesOf,
      this.#sourceOf,
      this.#sibling,
      this.#flags,
    );
  }
}
