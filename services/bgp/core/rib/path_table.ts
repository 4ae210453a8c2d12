// All paths of all peers, as rows of numbers: (prefix, source, path identifier) -> attributes. The
// paths of one prefix are a chain; those of one source are found by a walk over the rows, which costs
// less than an index would.
import { RowAllocator, roomOf, withRow } from './columns.ts';
import { FewRows } from './few_rows.ts';
import type { PathSource } from './path.ts';

export const PathFlag = {
  /** The best path, or used beside it (multipath). */
  Used: 1,
  /** Awaits the return of its peer. */
  Stale: 2,
  /** Gone already for whoever asks; the row is taken away soon. */
  Doomed: 4,
  /** Import policy has let it in, but the kernel cannot reach its next hop. */
  CutOff: 8,
} as const;

const UNUSABLE = PathFlag.Doomed | PathFlag.CutOff;
const STALE_OR_DOOMED = PathFlag.Stale | PathFlag.Doomed;
/** What a path stays when its peer tells it anew. */
const LASTING = PathFlag.Used | PathFlag.CutOff;

type Source = {
  value: PathSource;
  accepted: number;
  refused: number;
  stale: number;
  /** Doomed ones too. */
  rows: number;
  /** A bit per prefix: it has paths of the source. A chain need not be searched for what is not in it. */
  prefixes: Uint8Array;
  /** Some of its paths have identifiers: a prefix may have several. */
  hasIds: boolean;
  /** Its number is another's as soon as it has no rows. */
  isRetired: boolean;
  /** Rows that are not stale, and those that are. */
  readonly few: { readonly fresh: FewRows; readonly stale: FewRows };
};

/** Of so many rows one is found sooner by the bits of its source than by a walk over all of them. */
const FEW = 16;

/** Many sources have no paths, and some never will again: they share this. */
const NO_PREFIXES = new Uint8Array(0);

export class PathTable {
  readonly #rows = new RowAllocator();
  readonly #sources: Source[] = [];
  /** Numbers of those that have gone. */
  readonly #freeSources: number[] = [];
  /** Plus one; 0: the row is free. */
  #prefixes = new Int32Array(64);
  #sourceOf = new Int32Array(64);
  #pathIds = new Uint32Array(64);
  #received = new Int32Array(64);
  /** What import policy has made of it, plus one; below 0: kept out for that reason; 0: as received. */
  #judged = new Int32Array(64);
  /** Plus one; 0: the chain's end. */
  #next = new Int32Array(64);
  #flags = new Uint8Array(64);
  /** Rows that all columns have places for. */
  #room = 64;
  /** First row of a prefix, plus one. */
  #first = new Int32Array(64);
  #size = 0;
  /** Prefixes with rows. */
  #chains = 0;

  /** Rows in use. */
  get size(): number {
    return this.#size;
  }

  /** Whether some prefix has several. */
  get hasRivals(): boolean {
    return this.#size > this.#chains;
  }

  /** All rows in use are below. */
  get limit(): number {
    return this.#rows.limit;
  }

  addSource(value: PathSource): number {
    const counts = { accepted: 0, refused: 0, stale: 0, rows: 0 };
    const few = { fresh: new FewRows(), stale: new FewRows() };
    const bits = { prefixes: NO_PREFIXES, hasIds: false };
    const source = { value, ...counts, ...bits, isRetired: false, few };
    const number = this.#freeSources.pop() ?? this.#sources.length;
    this.#sources[number] = source;
    return number;
  }

  /** Nothing more comes from the source. */
  retireSource(source: number): void {
    const held = this.#source(source);
    held.isRetired = true;
    if (held.rows === 0) this.#freeSources.push(source);
  }

  /** Numbers of sources are below. */
  get sourceLimit(): number {
    return this.#sources.length;
  }

  /** What is known of the source changes, for all its paths. */
  setSource(source: number, value: PathSource): void {
    this.#source(source).value = value;
  }

  sourceAt(source: number): PathSource {
    return this.#source(source).value;
  }

  /** Where link-local next hops of paths are. */
  interfaces(): ReadonlySet<string> {
    return new Set(
      this.#sources.flatMap(({ value, rows }) =>
        value.kind === 'peer' && rows > 0 ? (value.interface ?? []) : [],
      ),
    );
  }

  acceptedOf(source: number): number {
    return this.#source(source).accepted;
  }

  refusedOf(source: number): number {
    return this.#source(source).refused;
  }

  staleOf(source: number): number {
    return this.#source(source).stale;
  }

  /** Rows of the source; some may have come into the other state since, or have gone, or be another's. */
  fewOf(source: number): { readonly fresh: FewRows; readonly stale: FewRows } {
    return this.#source(source).few;
  }

  /** First row of the prefix's chain; -1 for none. */
  firstOf(prefix: number): number {
    return prefix < this.#first.length ? (this.#first[prefix] as number) - 1 : -1;
  }

  /** Next row of the chain; -1 at the end. */
  nextOf(row: number): number {
    return (this.#next[row] as number) - 1;
  }

  /** Whether the row is in use. */
  has(row: number): boolean {
    return this.#prefixes[row] !== 0;
  }

  prefixOf(row: number): number {
    return (this.#prefixes[row] as number) - 1;
  }

  sourceOf(row: number): number {
    return this.#sourceOf[row] as number;
  }

  pathIdOf(row: number): number {
    return this.#pathIds[row] as number;
  }

  /** As the peer has told it. */
  receivedOf(row: number): number {
    return this.#received[row] as number;
  }

  /** As import policy has made it; below 0 when it keeps it out: -1 - the reason's number. */
  attributesOf(row: number): number {
    const judged = this.#judged[row] as number;
    if (judged === 0) return this.#received[row] as number;
    return judged < 0 ? judged : judged - 1;
  }

  isRefused(row: number): boolean {
    return (this.#judged[row] as number) < 0;
  }

  is(row: number, flag: number): boolean {
    return ((this.#flags[row] as number) & flag) !== 0;
  }

  /** Whether import policy has let it in, and it is still there. */
  isLetIn(row: number): boolean {
    return (this.#judged[row] as number) >= 0 && !this.is(row, PathFlag.Doomed);
  }

  /** Whether the decision may choose it. */
  isUsable(row: number): boolean {
    return (this.#judged[row] as number) >= 0 && ((this.#flags[row] as number) & UNUSABLE) === 0;
  }

  /** The row, doomed or not; -1 for none. */
  find(prefix: number, source: number, pathId: number): number {
    if (!this.hasPaths(prefix, source)) return -1;
    for (let row = this.firstOf(prefix); row >= 0; row = this.nextOf(row)) {
      if (this.#sourceOf[row] === source && this.#pathIds[row] === pathId) return row;
    }
    return -1;
  }

  /** A new row in front of the prefix's chain. */
  add(
    prefix: number,
    source: number,
    pathId: number,
    received: number,
    attributes: number,
  ): number {
    const row = this.#rows.take();
    this.#makeRoom(row);
    if (prefix >= this.#first.length) this.#first = withRow(this.#first, prefix);
    this.#prefixes[row] = prefix + 1;
    this.#sourceOf[row] = source;
    if (this.#pathIds[row] !== pathId) this.#pathIds[row] = pathId;
    this.#received[row] = received;
    this.#setJudged(row, attributes);
    this.#flags[row] = 0;
    const next = this.firstOf(prefix);
    this.#setNext(row, next);
    this.#first[prefix] = row + 1;
    this.#size += 1;
    if (next < 0) this.#chains += 1;
    this.#count(row, 1);
    this.#note(prefix, source, pathId);
    this.fewOf(source).fresh.add(row);
    return row;
  }

  /** What the peer tells now. The path is neither stale nor doomed any more. */
  change(row: number, received: number, attributes: number): void {
    this.#count(row, -1);
    const flags = this.#flags[row] as number;
    if ((flags & ~LASTING) !== 0) this.fewOf(this.sourceOf(row)).fresh.add(row);
    this.#flags[row] = flags & LASTING;
    this.#received[row] = received;
    this.#setJudged(row, attributes);
    this.#count(row, 1);
  }

  /** Another judgement of import policy. */
  judge(row: number, attributes: number): void {
    this.#count(row, -1);
    this.#setJudged(row, attributes);
    this.#count(row, 1);
  }

  setFlag(row: number, flag: number, isSet: boolean): void {
    this.#count(row, -1);
    const flags = this.#flags[row] as number;
    this.#flags[row] = isSet ? flags | flag : flags & ~flag;
    this.#count(row, 1);
    if (flag === PathFlag.Stale && isSet) this.fewOf(this.sourceOf(row)).stale.add(row);
  }

  /**
   * All paths of the source are gone for whoever asks, in one loop over columns: a peer is lost, and no slice of
   * its routes may be chosen any more. How many that were not so before.
   */
  doomAllOf(source: number): number {
    const [sourceOf, prefixes, flags] = [this.#sourceOf, this.#prefixes, this.#flags];
    const { limit } = this;
    let count = 0;
    for (let row = 0; row < limit; row++) {
      if (sourceOf[row] !== source || prefixes[row] === 0) continue;
      const before = flags[row] as number;
      if ((before & PathFlag.Doomed) !== 0) continue;
      flags[row] = before | PathFlag.Doomed;
      count += 1;
    }
    Object.assign(this.#source(source), { accepted: 0, refused: 0, stale: 0 });
    return count;
  }

  /** All paths of the source become stale, as in doomAllOf(). @param isMeant by the number of the prefix */
  staleAllOf(source: number, isMeant: (prefix: number) => boolean): void {
    const held = this.#source(source);
    const { stale } = held.few;
    held.stale += this.#setAllOf(source, isMeant, 0, PathFlag.Stale, (row) => stale.add(row));
  }

  /** As doomAllOf(), of the source's paths that are stale. @param isMeant by the number of the prefix */
  doomStaleOf(source: number, isMeant: (prefix: number) => boolean): number {
    let refused = 0;
    const count = this.#setAllOf(source, isMeant, PathFlag.Stale, PathFlag.Doomed, (row) => {
      if ((this.#judged[row] as number) < 0) refused += 1;
    });
    const held = this.#source(source);
    held.stale -= count;
    held.refused -= refused;
    held.accepted -= count - refused;
    return count;
  }

  /** In rows of the source, what says whether they are stale or doomed. How many were as `before`. */
  #setAllOf(
    source: number,
    isMeant: (prefix: number) => boolean,
    before: number,
    after: number,
    onSet: (row: number) => void,
  ): number {
    const [sourceOf, prefixes, flags] = [this.#sourceOf, this.#prefixes, this.#flags];
    const { limit } = this;
    let count = 0;
    for (let row = 0; row < limit; row++) {
      const prefix = prefixes[row] as number;
      if (sourceOf[row] !== source || prefix === 0) continue;
      const held = flags[row] as number;
      if ((held & STALE_OR_DOOMED) !== before || !isMeant(prefix - 1)) continue;
      flags[row] = held | after;
      count += 1;
      onSet(row);
    }
    return count;
  }

  /** Whether a walk over all rows finds those of the source as soon as its bits do. */
  hasManyOf(source: number): boolean {
    return this.#source(source).rows * FEW > this.limit;
  }

  /**
   * Visits all rows of the source, doomed ones too; none may come or go meanwhile. A source with a few paths of
   * a large table costs a look at its bits, not at all rows: peers may ask for this as often as they like.
   * @param prefixLimit numbers of prefixes are below
   */
  eachOf(source: number, prefixLimit: number, visit: (row: number) => void): void {
    const { rows, prefixes } = this.#source(source);
    if (rows === 0) return;
    if (this.hasManyOf(source)) {
      for (let row = 0; row < this.limit; row++) {
        if (this.#sourceOf[row] === source && this.#prefixes[row] !== 0) visit(row);
      }
      return;
    }
    const end = Math.min(prefixes.length, (prefixLimit + 7) >>> 3);
    for (let at = 0; at < end; at++) {
      for (let bits = prefixes[at] as number, bit = 0; bits >>> bit !== 0; bit++) {
        if (((bits >>> bit) & 1) !== 0) this.#eachIn(at * 8 + bit, source, visit);
      }
    }
  }

  #eachIn(prefix: number, source: number, visit: (row: number) => void): void {
    for (let row = this.firstOf(prefix); row >= 0; row = this.nextOf(row)) {
      if (this.#sourceOf[row] === source) visit(row);
    }
  }

  remove(row: number): void {
    this.#count(row, -1);
    const prefix = this.prefixOf(row);
    const next = this.nextOf(row);
    if ((this.#first[prefix] as number) - 1 === row) {
      this.#first[prefix] = next + 1;
    } else {
      let before = this.firstOf(prefix);
      while (this.nextOf(before) !== row) before = this.nextOf(before);
      this.#setNext(before, next);
    }
    this.#prefixes[row] = 0;
    this.#rows.give(row);
    this.#size -= 1;
    if (this.#first[prefix] === 0) this.#chains -= 1;
    this.#forget(prefix, this.#sourceOf[row] as number);
  }

  /** Whether the prefix has paths of the source, doomed ones too. */
  hasPaths(prefix: number, source: number): boolean {
    const { prefixes } = this.#source(source);
    const at = prefix >>> 3;
    return at < prefixes.length && ((prefixes[at] as number) & (1 << (prefix & 7))) !== 0;
  }

  #note(prefix: number, source: number, pathId: number): void {
    const held = this.#source(source);
    const at = prefix >>> 3;
    if (at >= held.prefixes.length) held.prefixes = withRow(held.prefixes, at);
    (held.prefixes[at] as number) |= 1 << (prefix & 7);
    held.rows += 1;
    if (pathId !== 0) held.hasIds = true;
  }

  #forget(prefix: number, source: number): void {
    const held = this.#source(source);
    const { prefixes, hasIds } = held;
    held.rows -= 1;
    if (held.rows === 0) {
      // Peers come and go: what is as large as the table must not stay.
      held.prefixes = NO_PREFIXES;
      held.hasIds = false;
      if (held.isRetired) this.#freeSources.push(source);
      return;
    }
    if (hasIds) {
      for (let row = this.firstOf(prefix); row >= 0; row = this.nextOf(row)) {
        if (this.#sourceOf[row] === source) return;
      }
    }
    (prefixes[prefix >>> 3] as number) &= ~(1 << (prefix & 7));
  }

  // Columns that hold zeros for most rows are written only where they do not, see withRow().

  #setJudged(row: number, attributes: number): void {
    const judged =
      attributes < 0 ? attributes : attributes === this.#received[row] ? 0 : attributes + 1;
    if (this.#judged[row] !== judged) this.#judged[row] = judged;
  }

  /** @param next -1: none */
  #setNext(row: number, next: number): void {
    if (this.#next[row] !== next + 1) this.#next[row] = next + 1;
  }

  #source(source: number): Source {
    return this.#sources[source] as Source;
  }

  /** Doomed paths count no more. */
  #count(row: number, by: 1 | -1): void {
    const flags = this.#flags[row] as number;
    if ((flags & PathFlag.Doomed) !== 0) return;
    const source = this.#source(this.#sourceOf[row] as number);
    if ((this.#judged[row] as number) < 0) source.refused += by;
    else source.accepted += by;
    if ((flags & PathFlag.Stale) !== 0) source.stale += by;
  }

  #makeRoom(row: number): void {
    if (row < this.#room) return;
    this.#prefixes = withRow(this.#prefixes, row);
    this.#sourceOf = withRow(this.#sourceOf, row);
    this.#pathIds = withRow(this.#pathIds, row);
    this.#received = withRow(this.#received, row);
    this.#judged = withRow(this.#judged, row);
    this.#next = withRow(this.#next, row);
    this.#flags = withRow(this.#flags, row);
    this.#room = roomOf(
      this.#prefixes,
      this.#sourceOf,
      this.#pathIds,
      this.#received,
      this.#judged,
      this.#next,
      this.#flags,
    );
  }
}
