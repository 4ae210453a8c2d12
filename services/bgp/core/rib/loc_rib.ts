// All paths of every prefix, and which of them is used. Decides in slices: a change makes its prefix
// unsettled, and settle() works off as many as it is told.
import type { Address, Prefix } from '@calico/ip';
import { AttributeTable } from './attribute_table.ts';
import { IntQueue, withRow } from './columns.ts';
import { Decision } from './decision.ts';
import { LOCAL_SOURCE, type Path, type PathData, type PathSource } from './path.ts';
import { PathFlag, PathTable } from './path_table.ts';
import { PrefixTable } from './prefix_table.ts';
import { ReasonTable } from './reason_table.ts';
import { ToldSets } from './told_sets.ts';

export type RibEntry = {
  readonly prefix: Prefix;
  /** Number of the prefix. */
  readonly id: number;
  /** All paths that policy let in, in no particular order. */
  readonly candidates: readonly Path[];
  readonly best: Path | undefined;
  /** The best path and those as good up to the tie-breaks, by their next hops. */
  readonly multipath: readonly Path[];
};

/** Row of own routes among the sources. */
export const LOCAL = 0;

const Unsettled = 1;
/** What was used has changed or gone since the last decision. */
const Touched = 2;

/**
 * Paths of one prefix that a source may have (RFC 7911 sets no bound): lookups and decisions walk over
 * all of a prefix's paths. Enough for a reflector of a fabric of 64 equal ways.
 */
export const PATHS_PER_SOURCE = 64;

/** Rows looked at per path that a slice may take away, or otherwise change. */
const WALK = 64;

/** In place of a row. */
const DONE = -1;

export class LocRib {
  readonly prefixes = new PrefixTable();
  readonly attributes = new AttributeTable();
  readonly told = new ToldSets(this.attributes);
  readonly paths = new PathTable();
  readonly reasons = new ReasonTable();
  readonly decision = new Decision(this.paths, this.attributes);
  /** settle() answers every prefix of which any path has changed: somebody is told all of them. */
  tellsAll = false;
  readonly #unsettled = new IntQueue();
  /** Prefixes that have been taken out of #unsettled, in all. */
  #settledCount = 0;
  /** To be decided before the others: held. */
  readonly #urgent: number[] = [];
  #states = new Uint8Array(64);
  /** Row of the best path, plus one. */
  #best = new Int32Array(64);
  #size = 0;
  /** Doomed rows that are still there, and how far the walk over them has come. */
  #doomed = 0;
  #walked = 0;
  /** Next row to be looked at, as next hops can be reached that could not be, or cost something else; or DONE. */
  #reviewed = DONE;
  /** More of them have changed after the walk had begun: once more. */
  #isReviewedAgain = false;
  /** Numbers of the next hops that cost something else. */
  readonly #moved = new Set<number>();
  /** Unsettled prefixes that are left of those that lost paths all at once. */
  #lossesLeft = 0;
  /** Answered by the last settle(): held until the next. */
  #settled: number[] = [];

  constructor() {
    this.paths.addSource(LOCAL_SOURCE);
  }

  /** Prefixes with a best path. */
  get size(): number {
    return this.#size;
  }

  /** Whether settle() has something to do. */
  get isUnsettled(): boolean {
    return this.#unsettled.size > 0 || this.#doomed > 0 || this.#reviewed !== DONE;
  }

  /** For hasSettled(): all changes of paths up to now. */
  get changeCount(): number {
    return this.#settledCount + this.#unsettled.size;
  }

  /** Whether all these changes are decided on, however many have come since: first in, first out. */
  hasSettled(changeCount: number): boolean {
    return this.#settledCount >= changeCount;
  }

  /** Paths of a lost peer are being taken out: more removals follow. */
  get isLosing(): boolean {
    return this.#doomed > 0 || this.#lossesLeft > 0;
  }

  /**
   * Puts a path in place of the one with the same source and identifier.
   * @returns false: refused, the source has PATHS_PER_SOURCE others, or the attributes are too long
   */
  put(path: {
    readonly prefix: Prefix;
    readonly data: PathData;
    readonly source: number;
    readonly pathId?: number;
  }): boolean {
    const id = this.attributes.intern(path.data);
    if (id < 0) return false;
    const prefix = this.prefixes.intern(path.prefix);
    const isTaken = this.putRow(prefix, path.source, path.pathId ?? 0, id, id);
    this.attributes.release(id);
    this.prefixes.release(prefix);
    return isTaken;
  }

  remove(prefix: Prefix, source: number, pathId = 0): void {
    const id = this.prefixes.find(prefix);
    if (id >= 0) this.removePath(id, source, pathId);
  }

  /**
   * As put(), by numbers of the tables; the tables take references of their own.
   * @param attributes below 0: import policy keeps it out, for reason -1 - attributes
   */
  putRow(
    prefix: number,
    source: number,
    pathId: number,
    received: number,
    attributes: number,
  ): boolean {
    const { paths } = this;
    const row = paths.find(prefix, source, pathId);
    if (row < 0) {
      // Without an identifier (RFC 7911) it is the only one.
      if (pathId !== 0 && !this.#makeRoom(prefix, source)) return false;
      this.prefixes.retain(prefix);
      this.attributes.retain(received);
      if (attributes >= 0) this.attributes.retain(attributes);
      const added = paths.add(prefix, source, pathId, received, attributes);
      this.#followNextHop(added, -1);
      if (this.#matters(added)) this.#unsettle(prefix, 0);
      return true;
    }
    const before = paths.attributesOf(row);
    const wasDoomed = paths.is(row, PathFlag.Doomed);
    if (wasDoomed) this.#doomed -= 1;
    this.attributes.retain(received);
    if (attributes >= 0) this.attributes.retain(attributes);
    const receivedBefore = paths.receivedOf(row);
    const counted = this.#cutOffHopOf(row);
    paths.change(row, received, attributes);
    this.attributes.release(receivedBefore);
    if (before >= 0) this.attributes.release(before);
    const isOtherwise = this.#followNextHop(row, counted);
    // Doomed and back before anybody decided without it: nothing has happened.
    const isBack = wasDoomed && !paths.is(row, PathFlag.Used);
    if (before !== attributes || isOtherwise || isBack) this.#touch(row);
    return true;
  }

  /** Whether the peer's path was there. */
  removePath(prefix: number, source: number, pathId: number): boolean {
    const row = this.paths.find(prefix, source, pathId);
    if (row < 0 || this.paths.is(row, PathFlag.Doomed)) return false;
    this.#removeRow(row);
    return true;
  }

  /** Another judgement of import policy about a path. */
  judge(row: number, attributes: number): void {
    const before = this.paths.attributesOf(row);
    if (before === attributes) return;
    if (attributes >= 0) this.attributes.retain(attributes);
    const counted = this.#cutOffHopOf(row);
    this.paths.judge(row, attributes);
    if (before >= 0) this.attributes.release(before);
    this.#followNextHop(row, counted);
    this.#touch(row);
  }

  /**
   * What the kernel says about a next hop. Peers' paths through one that it cannot reach are not chosen (RFC 4271
   * section 9.1.2), nor one that costs more than another as good; settle() finds them, a part of the table at a time.
   */
  setReachable(nextHop: Address, isReachable: boolean, cost = 0): void {
    const { hops } = this.attributes;
    const isOtherwise = hops.setReachable(nextHop, isReachable);
    const moved = isReachable ? hops.setCost(nextHop, cost) : -1;
    // Nothing is compared where every path is its prefix's only one.
    const isCompared = moved >= 0 && this.paths.hasRivals;
    if (isCompared) this.#moved.add(moved);
    if (!isOtherwise && !isCompared) return;
    // A walk that always began anew might never end.
    if (this.#reviewed === DONE) this.#reviewed = 0;
    else this.#isReviewedAgain = true;
  }

  /** The path is gone for whoever asks; settle() takes it away. */
  doom(row: number): void {
    this.paths.setFlag(row, PathFlag.Doomed, true);
    this.#doomed += 1;
    this.#walked = 0;
  }

  /** As doom(), for all paths of the source. */
  doomAllOf(source: number): void {
    this.#doomed += this.paths.doomAllOf(source);
    this.#walked = 0;
  }

  /** As doom(), for all paths of the source that are stale. @param isMeant by the number of the prefix */
  doomStaleOf(source: number, isMeant: (prefix: number) => boolean): void {
    this.#doomed += this.paths.doomStaleOf(source, isMeant);
    this.#walked = 0;
  }

  /** What the decision knows of the path's source has changed. */
  reconsider(row: number): void {
    this.#touch(row);
  }

  /** The next settle() begins with the prefix, whatever else waits. */
  hurry(prefix: Prefix): void {
    const id = this.prefixes.find(prefix);
    if (id < 0) return;
    this.prefixes.retain(id);
    this.#urgent.push(id);
  }

  /** Decides anew for up to `limit` prefixes, and for those in a hurry; answers those whose outcome changed. */
  settle(limit = Number.POSITIVE_INFINITY): readonly number[] {
    for (const id of this.#settled) this.prefixes.release(id);
    const changed: number[] = [];
    this.#review(limit);
    this.#collect(limit);
    for (const prefix of this.#urgent.splice(0)) this.#settle(prefix, changed);
    for (let count = 0; count < limit && this.#unsettled.size > 0; count++) {
      const prefix = this.#unsettled.shift();
      this.#settledCount += 1;
      if (this.#lossesLeft > 0) this.#lossesLeft -= 1;
      this.#settle(prefix, changed);
    }
    this.#settled = changed;
    return changed;
  }

  /** Row of the best path by the last decision; -1 for none. Another's, maybe, where isUndecided() is true. */
  bestOf(prefix: number): number {
    return prefix < this.#best.length ? (this.#best[prefix] as number) - 1 : -1;
  }

  /**
   * Whether the best path has gone, or must not be used any more, and nobody has decided since. Whoever walks
   * over the table passes such a prefix by: settle() answers it, whatever is decided.
   */
  isUndecided(prefix: number): boolean {
    const { paths } = this;
    const best = this.bestOf(prefix);
    if (best < 0) return false;
    const isThere = paths.prefixOf(best) === prefix && paths.is(best, PathFlag.Used);
    if (isThere && paths.isUsable(best)) return false;
    this.#unsettle(prefix, Touched);
    return true;
  }

  get(prefix: Prefix): RibEntry | undefined {
    const id = this.prefixes.find(prefix);
    return id < 0 ? undefined : this.entryOf(id);
  }

  /** Undefined when no path is let in. */
  entryOf(id: number): RibEntry | undefined {
    const { paths } = this;
    const candidates: Path[] = [];
    const multipath: Path[] = [];
    let best: Path | undefined;
    for (let row = paths.firstOf(id); row >= 0; row = paths.nextOf(row)) {
      if (!paths.isUsable(row)) continue;
      const path = this.pathOf(row);
      candidates.push(path);
      if (row === this.bestOf(id)) best = path;
      if (paths.is(row, PathFlag.Used)) multipath.push(path);
    }
    if (candidates.length === 0) return undefined;
    multipath.sort(byNextHop);
    return { prefix: this.prefixes.prefixOf(id), id, candidates, best, multipath };
  }

  *entries(): Generator<RibEntry, void, undefined> {
    for (let id = 0; id < this.prefixes.limit; id++) {
      if (this.bestOf(id) < 0) continue;
      const entry = this.entryOf(id);
      if (entry !== undefined) yield entry;
    }
  }

  pathOf(row: number): Path {
    const { paths, attributes } = this;
    const received = paths.receivedOf(row);
    const id = paths.isRefused(row) ? received : paths.attributesOf(row);
    return {
      prefix: this.prefixes.prefixOf(paths.prefixOf(row)),
      data: attributes.dataOf(id),
      source: paths.sourceAt(paths.sourceOf(row)),
      row,
      pathId: paths.pathIdOf(row),
      ...(received === id ? {} : { received: attributes.dataOf(received) }),
    };
  }

  sourceOf(row: number): PathSource {
    return this.paths.sourceAt(this.paths.sourceOf(row));
  }

  /** Whether the source may have one more path of the prefix. One that awaits its peer's return gives way. */
  #makeRoom(prefix: number, source: number): boolean {
    const { paths } = this;
    let count = 0;
    let stale = -1;
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      if (paths.sourceOf(row) !== source || paths.is(row, PathFlag.Doomed)) continue;
      count += 1;
      if (paths.is(row, PathFlag.Stale)) stale = row;
    }
    if (count < PATHS_PER_SOURCE) return true;
    if (stale < 0) return false;
    this.#removeRow(stale);
    return true;
  }

  /**
   * Whether the outcome may be another one with or without the path. Most paths of a prefix that many
   * peers tell are worse than its best one, and of no account.
   */
  #matters(row: number): boolean {
    const { paths } = this;
    if (paths.isRefused(row)) return false;
    const best = this.bestOf(paths.prefixOf(row));
    if (best < 0 || best === row || this.tellsAll || !paths.isUsable(best)) return true;
    // While the prefix is unsettled, the best path may be another, or another's row; then it is decided anyway.
    return !this.decision.isOutclassed(row, best);
  }

  #touch(row: number): void {
    const state = this.paths.is(row, PathFlag.Used) ? Touched : 0;
    this.#unsettle(this.paths.prefixOf(row), state);
  }

  #unsettle(prefix: number, state: number): void {
    if (prefix >= this.#states.length) this.#states = withRow(this.#states, prefix);
    if (prefix >= this.#best.length) this.#best = withRow(this.#best, prefix);
    const before = this.#states[prefix] as number;
    this.#states[prefix] = before | Unsettled | state;
    if ((before & Unsettled) !== 0) return;
    this.prefixes.retain(prefix);
    this.#unsettled.push(prefix);
  }

  #removeRow(row: number): void {
    const prefix = this.paths.prefixOf(row);
    const received = this.paths.receivedOf(row);
    const attributes = this.paths.attributesOf(row);
    if (this.#matters(row)) this.#touch(row);
    this.attributes.hops.moveCutOff(this.#cutOffHopOf(row), -1);
    this.paths.remove(row);
    this.attributes.release(received);
    if (attributes >= 0) this.attributes.release(attributes);
    this.prefixes.release(prefix);
  }

  /** The next hop that the path is counted with, as it is not used for that one's sake; -1 for none. */
  #cutOffHopOf(row: number): number {
    const { paths, attributes } = this;
    if (!paths.is(row, PathFlag.CutOff)) return -1;
    return attributes.nextHopNumberOf(paths.attributesOf(row));
  }

  /**
   * Whether a path can be used by what is known of its next hop has changed.
   * @param counted cutOffHopOf() before the path got other attributes
   */
  #followNextHop(row: number, counted: number): boolean {
    const { paths, attributes } = this;
    const isCutOff = attributes.hops.hasUnreachable && this.#isCutOff(row);
    const hop = isCutOff ? attributes.nextHopNumberOf(paths.attributesOf(row)) : -1;
    attributes.hops.moveCutOff(counted, hop);
    if (paths.is(row, PathFlag.CutOff) === isCutOff) return false;
    paths.setFlag(row, PathFlag.CutOff, isCutOff);
    return true;
  }

  #followNextHops(prefix: number): void {
    const { paths } = this;
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      if (this.#followNextHop(row, this.#cutOffHopOf(row))) this.#touch(row);
    }
  }

  #isCutOff(row: number): boolean {
    const { paths, attributes } = this;
    const set = paths.attributesOf(row);
    if (set < 0 || attributes.hops.isReachable(attributes.nextHopNumberOf(set))) return false;
    return this.sourceOf(row).kind === 'peer';
  }

  /** Goes on with the walk that setReachable() asks for. */
  #review(limit: number): void {
    if (this.#reviewed === DONE) return;
    const { paths } = this;
    const end = Math.min(paths.limit, this.#reviewed + limit * WALK);
    let row = this.#reviewed;
    for (let left = limit; row < end && left > 0; row++) {
      if (!paths.has(row)) continue;
      if (this.#followNextHop(row, this.#cutOffHopOf(row))) this.#touch(row);
      else if (this.#hasMoved(row)) this.#unsettle(paths.prefixOf(row), 0);
      else continue;
      left -= 1;
    }
    this.#reviewed = row < paths.limit ? row : DONE;
    if (this.#reviewed !== DONE) return;
    if (!this.#isReviewedAgain) return this.#moved.clear();
    this.#isReviewedAgain = false;
    this.#reviewed = 0;
  }

  /** Whether it may be compared otherwise than before: not where it is the only path. */
  #hasMoved(row: number): boolean {
    const { paths, attributes } = this;
    const set = this.#moved.size === 0 ? -1 : paths.attributesOf(row);
    if (set < 0 || !this.#moved.has(attributes.nextHopNumberOf(set))) return false;
    return paths.nextOf(paths.firstOf(paths.prefixOf(row))) >= 0;
  }

  /** Takes doomed paths away, as a walk over the rows meets them. */
  #collect(limit: number): void {
    const { paths } = this;
    const end = this.#walked + limit * WALK;
    for (let left = limit; this.#doomed > 0 && left > 0 && this.#walked < end; this.#walked++) {
      if (this.#walked >= paths.limit) this.#walked = 0;
      const row = this.#walked;
      if (!paths.has(row) || !paths.is(row, PathFlag.Doomed)) continue;
      this.#removeRow(row);
      this.#doomed -= 1;
      left -= 1;
      this.#lossesLeft = this.#unsettled.size;
    }
  }

  /** The prefix is held, and goes on to be while it is among the changed ones. */
  #settle(prefix: number, changed: number[]): void {
    // What is known of its next hops counts, wherever the walk is.
    if (this.#reviewed !== DONE) this.#followNextHops(prefix);
    if (this.#decide(prefix)) changed.push(prefix);
    else this.prefixes.release(prefix);
  }

  /** Whether the outcome is another than before. */
  #decide(prefix: number): boolean {
    const { paths, decision } = this;
    const before = this.bestOf(prefix);
    const best = decision.decide(prefix);
    const isShared = decision.chosen.length > 1;
    let isChanged =
      this.tellsAll || before !== best || ((this.#states[prefix] as number) & Touched) !== 0;
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      const isUsed = row === best || (isShared && decision.chosen.includes(row));
      if (paths.is(row, PathFlag.Used) === isUsed) continue;
      paths.setFlag(row, PathFlag.Used, isUsed);
      isChanged = true;
    }
    this.#states[prefix] = 0;
    this.#best[prefix] = best + 1;
    this.#size += Number(best >= 0) - Number(before >= 0);
    return isChanged;
  }
}

function byNextHop(a: Path, b: Path): number {
  const [x, y] = [a.data.nextHop, b.data.nextHop];
  if (x.family !== y.family) return x.family - y.family;
  return x.value < y.value ? -1 : x.value > y.value ? 1 : 0;
}
