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
import { IntQueue } from './columns.ts';
import { LeftBehind } from './left_behind.ts';
import { GONE, OutEntries } from './out_entries.ts';
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

/** So many changes behind the first, a reader that holds up as much that is gone is left behind. */
const FAR = 1 << 16;
/** So many entries are forgotten beside other work. */
const FEW = 256;

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
  #entries: OutEntries;
  #order = new ChangeList();
  readonly #gone = new IntQueue();
  readonly #readers = new Set<Reader>();
  #behind = new LeftBehind();
  /** The last version that somebody has been told. */
  #reached = 0;
  readonly #chunks = new ToldChunks();

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
    this.#entries = new OutEntries(prefixes, attributes);
  }

  /**
   * A table of their own for readers that will be told otherwise from now on: copyTo() brings what they know, and
   * moveTo() brings them. Until then neither may change or be read. Entries stay in their rows: they are the
   * identifiers that paths were told by.
   */
  beginFork(): AdjRibOut {
    const fork = new AdjRibOut(this.#prefixes, this.#attributes, this.#context, this.#far);
    fork.#entries = this.#entries.beginCopy();
    fork.#order = this.#order.beginCopy();
    fork.#behind = this.#behind.beginCopy();
    fork.#reached = this.#reached;
    return fork;
  }

  /** Of what copyTo() has to bring, all is below. */
  get forkEnd(): number {
    return this.#entries.copyEnd;
  }

  /** Brings the rows from `start` to before `end`. */
  copyTo(fork: AdjRibOut, start: number, end: number): void {
    this.#entries.copyTo(fork.#entries, start, end, Flag.SourceChanged | Flag.Known);
    this.#order.copyTo(fork.#order, start, end);
    this.#behind.copyTo(fork.#behind, start, end);
    const rows = Math.min(end, this.#entries.limit);
    for (let entry = Math.max(start, 1); entry < rows; entry++) {
      if (fork.#entries.isGone(entry)) fork.#queueGone(entry);
    }
  }

  /** They know there what they know here. Who has left stays away. */
  moveTo(fork: AdjRibOut, readers: Iterable<Reader>): void {
    for (const reader of readers) {
      if (!this.#readers.has(reader)) continue;
      this.leave(reader);
      fork.#readers.add(reader);
      fork.#move(reader.place, reader.place.entry, reader.place.version);
    }
  }

  /** Takes up to `limit` entries out of a table without readers; whether there are more. */
  drain(limit: number): boolean {
    for (let count = 0; count < limit; count++) {
      const entry = this.#order.after(START);
      if (entry === START) return false;
      this.#forget(entry);
    }
    return true;
  }

  /** Entries that somebody is told. */
  get size(): number {
    return this.#entries.size;
  }

  get readerCount(): number {
    return this.#readers.size;
  }

  join(reader: Reader): void {
    this.#readers.add(reader);
    reader.reached = 0;
    this.#rewind(reader.place);
  }

  /** What was kept for the reader goes with the next reclaim(). */
  leave(reader: Reader): void {
    this.#readers.delete(reader);
    this.#behind.end(reader, this.#gone);
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
    return this.#entries.size - this.#entries.countOf(source);
  }

  /** What the reader has been told of the prefix's first path; undefined: nothing, or not yet. */
  get(prefix: number, reader: Reader): PathData | undefined {
    return this.#toldOf(prefix, reader).next().value;
  }

  /** What the reader has been told of all of the prefix's paths. */
  allTo(prefix: number, reader: Reader): PathData[] {
    return [...this.#toldOf(prefix, reader)];
  }

  *#toldOf(prefix: number, reader: Reader): Generator<PathData, undefined> {
    const entries = this.#entries;
    for (let entry = entries.firstOf(prefix); entry !== 0; entry = entries.nextOf(entry)) {
      if (this.#isTold(entry, reader)) yield this.#attributes.dataOf(entries.attributesOf(entry));
    }
  }

  /** What the reader has been told. */
  *entries(reader: Reader): Generator<{ readonly prefix: Prefix; readonly data: PathData }> {
    const entries = this.#entries;
    for (let entry = 1; entry < entries.limit; entry++) {
      if (!this.#isTold(entry, reader)) continue;
      const prefix = this.#prefixes.prefixOf(entries.prefixOf(entry));
      yield { prefix, data: this.#attributes.dataOf(entries.attributesOf(entry)) };
    }
  }

  /** The one path that the prefix is told with. @param attributes below 0: none */
  set(prefix: number, attributes: number, source: number): void {
    const entry = this.#entries.firstOf(prefix);
    if (entry === 0) {
      if (attributes >= 0) this.#append(prefix, 0, attributes, source);
    } else {
      this.#change(entry, attributes, source);
    }
  }

  /** All paths that the prefix is told with, for ADD-PATH. */
  setAll(prefix: number, changes: readonly Change[]): void {
    const entries = this.#entries;
    const known = new Set<number>();
    for (let entry = entries.firstOf(prefix); entry !== 0; entry = entries.nextOf(entry)) {
      if (entries.attributesOf(entry) === GONE) continue;
      const change = changes.find(({ path }) => path === entries.pathOf(entry));
      if (change !== undefined) known.add(change.path);
      this.#change(entry, change?.attributes ?? GONE, change?.source ?? NOBODY);
    }
    for (const { path, attributes, source } of changes) {
      if (known.has(path)) continue;
      const entry = this.#goneOf(prefix);
      if (entry === 0) {
        this.#append(prefix, path, attributes, source);
      } else {
        entries.setPath(entry, path);
        this.#change(entry, attributes, source);
      }
    }
  }

  /** An entry that another path may have: who was not told that it is gone is told of a change. 0: none. */
  #goneOf(prefix: number): number {
    const entries = this.#entries;
    let entry = entries.firstOf(prefix);
    while (entry !== 0 && !entries.isGone(entry)) entry = entries.nextOf(entry);
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
      this.reclaim();
      const bytes = bytesFor(chunk, reader.source);
      if (bytes.length > 0) return bytes;
    }
    return undefined;
  }

  #isTold(entry: number, { place, source }: Reader): boolean {
    const entries = this.#entries;
    return (
      entries.attributesOf(entry) >= 0 &&
      this.#order.versionOf(entry) <= place.version &&
      entries.sourceOf(entry) !== source
    );
  }

  #append(prefix: number, path: number, attributes: number, source: number): void {
    const entry = this.#entries.add(prefix, path, attributes, source);
    this.#order.append(entry);
    this.#behind.note(entry, this.#order.version);
  }

  #change(entry: number, attributes: number, source: number): void {
    const entries = this.#entries;
    const before = entries.attributesOf(entry);
    const isElsewhere = entries.sourceOf(entry) !== source;
    if (before < 0 && attributes < 0) return;
    if (before >= 0 && !isElsewhere && this.#attributes.areSame(before, attributes)) return;
    entries.setAttributes(entry, attributes, source);
    if (this.#order.versionOf(entry) <= this.#reached) entries.mark(entry, Flag.Known);
    if (attributes < 0 && !entries.has(entry, Flag.Known)) {
      this.#forget(entry);
      return;
    }
    // Who was told nothing as it was the source still has nothing to forget when the path goes.
    if (attributes >= 0 && isElsewhere) entries.mark(entry, Flag.SourceChanged);
    this.#unlink(entry);
    this.#order.append(entry);
    if (attributes < 0) this.#queueGone(entry);
    if (this.#readers.size === 0) this.reclaim();
  }

  #queueGone(entry: number): void {
    if (this.#entries.has(entry, Flag.Queued)) return;
    this.#entries.mark(entry, Flag.Queued);
    this.#gone.push(entry);
  }

  #unlink(entry: number): void {
    const previous = this.#order.before(entry);
    this.#order.remove(entry);
    if (!this.#entries.has(entry, Flag.Place)) return;
    this.#entries.unmark(entry, Flag.Place);
    this.#entries.mark(previous, Flag.Place);
    for (const place of this.#places()) if (place.entry === entry) place.entry = previous;
  }

  *#places(): Generator<Place, void, undefined> {
    for (const { place } of this.#readers) yield place;
    yield* this.#chunks.places();
  }

  #move(place: Place, entry: number, version: number): void {
    place.entry = entry;
    place.version = version;
    this.#entries.mark(entry, Flag.Place);
  }

  #rewind(place: Place): void {
    this.#move(place, START, 0);
  }

  /**
   * Forgets entries that are gone, and that every reader which knew them has been told of: up to `limit`.
   * @returns whether there are more
   */
  reclaim(limit = FEW): boolean {
    if (this.#gone.size === 0 && this.#chunks.isEmpty) return false;
    const entries = this.#entries;
    let slowest = this.#slowest();
    for (let count = 0; this.#gone.size > 0; count++) {
      if (count === limit) return true;
      const entry = this.#gone.peek();
      // It may have come back since.
      if (entries.isGone(entry)) {
        const version = this.#order.versionOf(entry);
        if (version > slowest) {
          const isLong = this.#gone.size > this.#far;
          if (!isLong || !this.#behind.leave(this.#readers, this.#far)) return false;
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
      entries.unmark(entry, Flag.Queued);
      this.#gone.shift();
    }
    if (!this.#chunks.isEmpty && slowest === this.#order.version) this.#chunks.clear();
    return false;
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
      if (isToBeTold && this.#entries.isGone(entry)) return;
      this.#gone.push(waiting.shift());
    }
    if (this.isAtEnd(reader)) this.#behind.end(reader, this.#gone);
  }

  #forget(entry: number): void {
    this.#unlink(entry);
    this.#entries.remove(entry);
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
    const entries = this.#entries;
    const prefix = entries.prefixOf(entry);
    const attributes = entries.attributesOf(entry);
    const source = entries.sourceOf(entry);
    const isElsewhere = entries.has(entry, Flag.SourceChanged);
    if (attributes < 0) {
      batch.withdraw(prefix, entry, isElsewhere ? NOBODY : source);
      return;
    }
    batch.announce(prefix, entry, attributes, source);
    if (isElsewhere) batch.forget(prefix, entry, source);
  }
}
