// What the peers of one update group are told, in the order of the last change:
//
//   start ── A ── D ── B(gone) ── C ── tail        a new change moves its entry to the tail
//     ▲           ▲                 ▲
//   new peer   slow peer        the others         a reader has been told everything up to its place
//
// A prefix is in the list once, so a peer that stops reading costs nothing but its place, and what
// it has missed is told as it is now. What one reader has encoded, others at the same place reuse.
// What is gone stays in the list for those who know it: not at all when nobody was told it, and for
// those whom others have left far behind only if they were told it.

import { UpdatePacker, type WireContext } from '@calico/bgp-wire';
import type { Prefix } from '@calico/ip';
import { ChangeList, START } from './change_list.ts';
import { IntQueue, RowAllocator, roomOf, withRow } from './columns.ts';
import { LeftBehind } from './left_behind.ts';
import type { Place, Reader } from './out_reader.ts';
import type { PathData } from './path.ts';
import type { PrefixTable } from './prefix_table.ts';
import { bytesFor, type Chunk, newChunk, ToldChunks } from './told_chunks.ts';
import type { ToldSets } from './told_sets.ts';
import { NOBODY, UpdateBatch } from './update_batch.ts';

export type Change = {
  /** Row of the path, for ADD-PATH; 0 where a prefix has one path. */
  readonly path: number;
  readonly attributes: number;
  /** Source that is not to be told. */
  readonly source: number;
};

const GONE = -1;

/** So many changes behind the first, a reader that holds up as much that is gone is left behind. */
const FAR = 1 << 16;

const Flag = {
  /** Some reader's place is here. */
  Place: 1,
  /** Was once told with another source: that one has to be told to forget it. */
  SourceChanged: 2,
  /** Waits in #gone, or for a reader that is left behind. */
  Queued: 4,
  /** Somebody may know it from before its last change. */
  Known: 8,
} as const;

export class AdjRibOut {
  readonly #prefixes: PrefixTable;
  readonly #attributes: ToldSets;
  readonly #context: WireContext;
  readonly #packer: UpdatePacker;
  readonly #far: number;
  #rows = new RowAllocator(1);
  #order = new ChangeList();
  /** First entry of a prefix; 0 for none. */
  #first = new Int32Array(64);
  #prefixOf = new Int32Array(64);
  #pathOf = new Int32Array(64);
  #attributesOf = new Int32Array(64);
  #sourceOf = new Int32Array(64);
  #sibling = new Int32Array(64);
  #flags = new Uint8Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  readonly #gone = new IntQueue();
  readonly #readers = new Set<Reader>();
  readonly #behind = new LeftBehind();
  /** The last version that somebody has been told. */
  #reached = 0;
  readonly #chunks = new ToldChunks();
  /** Entries that somebody is told; those of each source. */
  #size = 0;
  #told = new Int32Array(64);

  /**
   * @param context how the messages are written; its `addPath` names families with identifiers
   * @param far how many changes behind the first a reader is left behind
   */
  constructor(prefixes: PrefixTable, attributes: ToldSets, context: WireContext, far = FAR) {
    this.#prefixes = prefixes;
    this.#attributes = attributes;
    this.#context = context;
    this.#packer = new UpdatePacker(context);
    this.#far = far;
  }

  /**
   * A table of their own for readers that will be told otherwise from now on. Entries stay in their rows: they
   * are the identifiers that paths were told by.
   */
  fork(readers: readonly Reader[]): AdjRibOut {
    const copy = new AdjRibOut(this.#prefixes, this.#attributes, this.#context, this.#far);
    copy.#rows = this.#rows.copy();
    copy.#order = this.#order.copy();
    copy.#reached = this.#reached;
    for (let entry = this.#order.after(START); entry !== START; entry = this.#order.after(entry)) {
      const attributes = this.#attributesOf[entry] as number;
      copy.#write(
        entry,
        this.#prefixAt(entry),
        this.#pathOf[entry] as number,
        attributes,
        this.#sourceOf[entry] as number,
      );
      copy.#behind.note(entry, this.#behind.stampAt(entry));
      copy.#flags[entry] = (this.#flags[entry] as number) & (Flag.SourceChanged | Flag.Known);
      if (attributes < 0) copy.#queueGone(entry);
    }
    for (const reader of readers) {
      this.#dismiss(reader);
      copy.#readers.add(reader);
      copy.#move(reader.place, reader.place.entry, reader.place.version);
    }
    this.#reclaim();
    return copy;
  }

  /** Takes up to `limit` entries out of a table without readers; whether there are more. */
  drain(limit: number): boolean {
    for (let count = 0; count < limit; count++) {
      const entry = this.#order.after(START);
      if (entry === START) return false;
      const attributes = this.#attributesOf[entry] as number;
      if (attributes >= 0) this.#attributes.release(attributes);
      this.#forget(entry);
    }
    return true;
  }

  /** Entries that somebody is told. */
  get size(): number {
    return this.#size;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  join(reader: Reader): void {
    this.#readers.add(reader);
    reader.reached = 0;
    this.#rewind(reader.place);
  }

  leave(reader: Reader): void {
    this.#dismiss(reader);
    this.#reclaim();
  }

  /** The reader is told everything again. */
  repeat(reader: Reader): void {
    this.#rewind(reader.place);
  }

  isAtEnd({ place }: Reader): boolean {
    return this.#order.after(place.entry) === START;
  }

  /** How many entries are for the reader. */
  countFor({ source }: Reader): number {
    return this.#size - (this.#told[source] ?? 0);
  }

  /** What the reader has been told of the prefix's first path; undefined: nothing, or not yet. */
  get(prefix: number, reader: Reader): PathData | undefined {
    if (prefix >= this.#first.length) return undefined;
    for (
      let entry = this.#first[prefix] as number;
      entry !== 0;
      entry = this.#sibling[entry] as number
    ) {
      if (this.#isTold(entry, reader))
        return this.#attributes.dataOf(this.#attributesOf[entry] as number);
    }
    return undefined;
  }

  /** What the reader has been told of all of the prefix's paths. */
  allTo(prefix: number, reader: Reader): PathData[] {
    const found: PathData[] = [];
    if (prefix >= this.#first.length) return found;
    for (
      let entry = this.#first[prefix] as number;
      entry !== 0;
      entry = this.#sibling[entry] as number
    ) {
      if (!this.#isTold(entry, reader)) continue;
      found.push(this.#attributes.dataOf(this.#attributesOf[entry] as number));
    }
    return found;
  }

  /** What the reader has been told. */
  *entries(reader: Reader): Generator<{ readonly prefix: Prefix; readonly data: PathData }> {
    for (let entry = 1; entry < this.#rows.limit; entry++) {
      if (!this.#isTold(entry, reader)) continue;
      const prefix = this.#prefixes.prefixOf(this.#prefixAt(entry));
      yield { prefix, data: this.#attributes.dataOf(this.#attributesOf[entry] as number) };
    }
  }

  /** The one path that the prefix is told with. @param attributes below 0: none */
  set(prefix: number, attributes: number, source: number): void {
    const entry = prefix < this.#first.length ? (this.#first[prefix] as number) : 0;
    if (entry === 0) {
      if (attributes >= 0) this.#append(this.#rows.take(), prefix, 0, attributes, source);
    } else {
      this.#change(entry, attributes, source);
    }
  }

  /** All paths that the prefix is told with, for ADD-PATH. */
  setAll(prefix: number, changes: readonly Change[]): void {
    const known = new Set<number>();
    const first = prefix < this.#first.length ? (this.#first[prefix] as number) : 0;
    for (let entry = first; entry !== 0; entry = this.#sibling[entry] as number) {
      if (this.#attributesOf[entry] === GONE) continue;
      const change = changes.find(({ path }) => path === this.#pathOf[entry]);
      if (change !== undefined) known.add(change.path);
      this.#change(entry, change?.attributes ?? GONE, change?.source ?? NOBODY);
    }
    for (const { path, attributes, source } of changes) {
      if (known.has(path)) continue;
      const entry = this.#goneOf(prefix);
      if (entry === 0) {
        this.#append(this.#rows.take(), prefix, path, attributes, source);
      } else {
        this.#pathOf[entry] = path;
        this.#change(entry, attributes, source);
      }
    }
  }

  /** An entry that another path may have: who was not told that it is gone is told of a change. 0: none. */
  #goneOf(prefix: number): number {
    let entry = prefix < this.#first.length ? (this.#first[prefix] as number) : 0;
    while (entry !== 0 && this.#attributesOf[entry] !== GONE) {
      entry = this.#sibling[entry] as number;
    }
    return entry;
  }

  /** The messages that the reader gets next, from up to `limit` entries; undefined at the end. */
  read(reader: Reader, limit: number): Uint8Array | undefined {
    while (!this.isAtEnd(reader)) {
      const { place } = reader;
      const chunk = this.#chunks.at(place.version) ?? this.#encode(place, limit);
      this.#move(place, chunk.to.entry, chunk.to.version);
      reader.reached = Math.max(reader.reached, place.version);
      this.#reached = Math.max(this.#reached, place.version);
      this.#catchUp(reader);
      this.#reclaim();
      const bytes = bytesFor(chunk, reader.source);
      if (bytes.length > 0) return bytes;
    }
    return undefined;
  }

  #isTold(entry: number, { place, source }: Reader): boolean {
    return (
      (this.#prefixOf[entry] as number) > 0 &&
      (this.#attributesOf[entry] as number) >= 0 &&
      this.#order.versionOf(entry) <= place.version &&
      this.#sourceOf[entry] !== source
    );
  }

  #append(entry: number, prefix: number, path: number, attributes: number, source: number): void {
    this.#write(entry, prefix, path, attributes, source);
    this.#order.append(entry);
    this.#behind.note(entry, this.#behind.stampOf(this.#order.version));
  }

  #write(entry: number, prefix: number, path: number, attributes: number, source: number): void {
    this.#makeRoom(entry);
    if (prefix >= this.#first.length) this.#first = withRow(this.#first, prefix);
    this.#prefixes.retain(prefix);
    // Plus one: 0 is a free row.
    this.#prefixOf[entry] = prefix + 1;
    // Columns of zeros cost nothing as long as they are not written, see withRow().
    if (this.#pathOf[entry] !== path) this.#pathOf[entry] = path;
    this.#sourceOf[entry] = source;
    this.#flags[entry] = 0;
    const sibling = this.#first[prefix] as number;
    if (this.#sibling[entry] !== sibling) this.#sibling[entry] = sibling;
    this.#first[prefix] = entry;
    this.#attributesOf[entry] = attributes;
    if (attributes >= 0) {
      this.#attributes.retain(attributes);
      this.#count(source, 1);
    }
  }

  #prefixAt(entry: number): number {
    return (this.#prefixOf[entry] as number) - 1;
  }

  #change(entry: number, attributes: number, source: number): void {
    const before = this.#attributesOf[entry] as number;
    const sourceBefore = this.#sourceOf[entry] as number;
    const isElsewhere = sourceBefore !== source;
    if (before < 0 && attributes < 0) return;
    if (before >= 0 && !isElsewhere && this.#attributes.areSame(before, attributes)) return;
    if (attributes >= 0) {
      this.#attributes.retain(attributes);
      this.#count(source, 1);
    }
    if (before >= 0) {
      this.#attributes.release(before);
      this.#count(sourceBefore, -1);
    }
    this.#attributesOf[entry] = attributes;
    if (this.#order.versionOf(entry) <= this.#reached) (this.#flags[entry] as number) |= Flag.Known;
    if (attributes < 0 && ((this.#flags[entry] as number) & Flag.Known) === 0) {
      this.#forget(entry);
      return;
    }
    // Who was told nothing as it was the source still has nothing to forget when the path goes.
    if (attributes >= 0 && isElsewhere) {
      this.#sourceOf[entry] = source;
      (this.#flags[entry] as number) |= Flag.SourceChanged;
    }
    this.#unlink(entry);
    this.#order.append(entry);
    if (attributes < 0) this.#queueGone(entry);
    if (this.#readers.size === 0) this.#reclaim();
  }

  #queueGone(entry: number): void {
    if (((this.#flags[entry] as number) & Flag.Queued) !== 0) return;
    (this.#flags[entry] as number) |= Flag.Queued;
    this.#gone.push(entry);
  }

  #count(source: number, by: 1 | -1): void {
    this.#size += by;
    if (source >= this.#told.length) this.#told = withRow(this.#told, source);
    (this.#told[source] as number) += by;
  }

  #unlink(entry: number): void {
    const previous = this.#order.before(entry);
    this.#order.remove(entry);
    if (((this.#flags[entry] as number) & Flag.Place) === 0) return;
    (this.#flags[entry] as number) &= ~Flag.Place;
    (this.#flags[previous] as number) |= Flag.Place;
    for (const place of this.#places()) if (place.entry === entry) place.entry = previous;
  }

  *#places(): Generator<Place, void, undefined> {
    for (const { place } of this.#readers) yield place;
    yield* this.#chunks.places();
  }

  #move(place: Place, entry: number, version: number): void {
    place.entry = entry;
    place.version = version;
    (this.#flags[entry] as number) |= Flag.Place;
  }

  #rewind(place: Place): void {
    this.#move(place, START, 0);
  }

  /** Entries that are gone are forgotten once every reader that knows them has been told. */
  #reclaim(): void {
    if (this.#gone.size === 0 && this.#chunks.isEmpty) return;
    let slowest = this.#slowest();
    while (this.#gone.size > 0) {
      const entry = this.#gone.peek();
      const version = this.#order.versionOf(entry);
      // It may have come back since.
      if (this.#attributesOf[entry] === GONE) {
        if (version > slowest) {
          if (this.#gone.size <= this.#far || !this.#behind.leave(this.#readers, this.#far)) return;
          slowest = this.#slowest();
          continue;
        }
        const waiting = this.#behind.waitingFor(entry, version);
        if (waiting !== undefined) {
          waiting.push(this.#gone.shift());
          continue;
        }
        this.#chunks.dropBefore(version);
        this.#forget(entry);
      }
      (this.#flags[entry] as number) &= ~Flag.Queued;
      this.#gone.shift();
    }
    if (!this.#chunks.isEmpty && slowest === this.#order.version) this.#chunks.clear();
  }

  /** Of the readers that are not left behind. */
  #slowest(): number {
    let slowest = Number.POSITIVE_INFINITY;
    for (const { place, waiting } of this.#readers) {
      if (waiting === undefined) slowest = Math.min(slowest, place.version);
    }
    return slowest;
  }

  /** What the reader has been told by now waits for the others again. */
  #catchUp(reader: Reader): void {
    const { waiting, place } = reader;
    if (waiting === undefined) return;
    while (waiting.size > 0) {
      const entry = waiting.peek();
      const isToBeTold = this.#order.versionOf(entry) > place.version;
      if (isToBeTold && this.#attributesOf[entry] === GONE) return;
      this.#gone.push(waiting.shift());
    }
    if (this.isAtEnd(reader)) this.#behind.end(reader, this.#gone);
  }

  #dismiss(reader: Reader): void {
    this.#readers.delete(reader);
    this.#behind.end(reader, this.#gone);
  }

  #forget(entry: number): void {
    if (this.#prefixOf[entry] === 0) return;
    this.#unlink(entry);
    const prefix = this.#prefixAt(entry);
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

  /** Writes what comes after the place, and keeps it for others who are there too. */
  #encode({ entry: from, version }: Place, limit: number): Chunk {
    const tables = { prefixes: this.#prefixes, attributes: this.#attributes };
    const batch = new UpdateBatch(tables, this.#packer, this.#context);
    let last = from;
    for (let count = 0; count < limit; count++) {
      const entry = this.#order.after(last);
      if (entry === START) break;
      last = entry;
      this.#addTo(batch, entry);
    }
    const chunk = newChunk(version, { entry: START, version: 0 }, batch.encode());
    this.#move(chunk.to, last, this.#order.versionOf(last));
    if (this.#readers.size > 1) this.#chunks.keep(chunk);
    return chunk;
  }

  #addTo(batch: UpdateBatch, entry: number): void {
    const prefix = this.#prefixAt(entry);
    const attributes = this.#attributesOf[entry] as number;
    const source = this.#sourceOf[entry] as number;
    const isElsewhere = ((this.#flags[entry] as number) & Flag.SourceChanged) !== 0;
    if (attributes < 0) {
      batch.withdraw(prefix, entry, isElsewhere ? NOBODY : source);
      return;
    }
    batch.announce(prefix, entry, attributes, source);
    if (isElsewhere) batch.forget(prefix, entry, source);
  }
}
