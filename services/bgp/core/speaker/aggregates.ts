// Routes that stand for others: each is there as long as something inside of it is.
//
//   best paths --> sets of attributes, counted --> what they say together --> a path of our own
import type { PathAttributes } from '@calico/bgp-wire';
import { formatPrefix, type Prefix } from '@calico/ip';
import type { ExportPolicy } from '../policy/export_policy.ts';
import { MergedPaths } from '../policy/merge_paths.ts';
import type { LocalPolicy } from '../policy/types.ts';
import { withRow } from '../rib/columns.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { PrefixRanges } from '../rib/prefix_ranges.ts';

type Aggregate = {
  readonly prefix: Prefix;
  /** How many best paths inside have a set of attributes, by its number: held. */
  readonly sets: Map<number, number>;
  readonly summary: MergedPaths;
  isTold: boolean;
};

/** Before what others tell of the same prefix. */
const LOCAL_PREFERENCE = 2_147_482_623;
const DONE = -1;

export class Aggregates {
  readonly #rib: LocRib;
  #local: LocalPolicy | undefined;
  #exports: ExportPolicy | undefined;
  #ranges = new PrefixRanges([]);
  #all: readonly Aggregate[] = [];
  /** Number of the set of attributes that a prefix is a part with, plus one; 0: it is none. */
  #parts = new Int32Array(64);
  /** They may have to say something else. */
  readonly #changed = new Set<Aggregate>();
  /** Next prefix to be judged by a new policy, or as part of new aggregates. */
  #next = DONE;
  #isStarting = false;
  /** Aggregates no longer, and still there. */
  #replaced: readonly Prefix[] = [];
  #source = -1;

  constructor(rib: LocRib) {
    this.#rib = rib;
  }

  /** Other aggregates are being made: whom they are for must not lose what is inside of them before. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** The policy is another; follow() judges by it. */
  configure(local: LocalPolicy, exports: ExportPolicy): void {
    const { aggregates = [] } = local;
    const isSame =
      aggregates.map(formatPrefix).join() ===
      this.#all.map(({ prefix }) => formatPrefix(prefix)).join();
    this.#local = local;
    this.#exports = exports;
    if (!isSame) this.#startAnew(aggregates);
    this.#next = aggregates.length === 0 ? DONE : 0;
  }

  /**
   * Whether there is more to do for a new policy.
   * @param changed numbers of prefixes whose best paths are others now
   * @param limit prefixes to judge
   */
  follow(changed: readonly number[], limit = Number.POSITIVE_INFINITY): boolean {
    if (this.#all.length === 0) return false;
    for (const id of changed) this.#follow(id);
    // What was there when judging ended has been decided before everything else.
    if (this.#next === DONE) this.#isStarting = false;
    const isJudging = this.#judgeSome(limit);
    // That something is there is told at once; what it says, when nothing more is about to change it.
    const mayChange = this.#rib.isUnsettled || isJudging;
    for (const aggregate of this.#changed) {
      const isThere = aggregate.sets.size > 0;
      // What is inside of one that stays may not have been found yet.
      const isNew = aggregate.isTold !== isThere && (isThere || !isJudging);
      if (isNew || !mayChange) this.#tell(aggregate);
    }
    return isJudging || this.#isStarting;
  }

  /** Takes out what the list names no more, once what was inside of it has been told. */
  dropReplaced(): void {
    for (const prefix of this.#replaced) this.#rib.remove(prefix, this.#source);
    this.#replaced = [];
  }

  #judgeSome(most: number): boolean {
    if (this.#next === DONE) return false;
    const { limit } = this.#rib.prefixes;
    const end = Math.min(limit, this.#next + most);
    for (let id = this.#next; id < end; id++) this.#follow(id);
    this.#next = end < limit ? end : DONE;
    if (this.#next !== DONE) return true;
    // Who aggregates may be another.
    for (const aggregate of this.#all) this.#changed.add(aggregate);
    return false;
  }

  #startAnew(aggregates: readonly Prefix[]): void {
    const rib = this.#rib;
    for (const { sets } of this.#all) {
      for (const set of sets.keys()) rib.attributes.release(set);
    }
    const before = [
      ...this.#replaced,
      ...this.#all.flatMap(({ prefix, isTold }) => (isTold ? prefix : [])),
    ];
    const told = new Set(before.map(formatPrefix));
    const wanted = new Set(aggregates.map(formatPrefix));
    this.#replaced = before.filter((prefix) => !wanted.has(formatPrefix(prefix)));
    this.#parts = new Int32Array(64);
    this.#changed.clear();
    this.#isStarting = aggregates.length > 0;
    this.#ranges = new PrefixRanges(aggregates);
    this.#all = aggregates.map((prefix) => ({
      prefix,
      sets: new Map(),
      summary: new MergedPaths(),
      isTold: told.has(formatPrefix(prefix)),
    }));
    if (aggregates.length > 0 && this.#source < 0) {
      this.#source = rib.paths.addSource({ kind: 'local', isAggregate: true });
    }
  }

  #follow(id: number): void {
    const { prefixes } = this.#rib;
    if (!prefixes.has(id)) return;
    const aggregate = this.#all[this.#ranges.lastContaining(prefixes, id)];
    if (aggregate === undefined || prefixes.lengthOf(id) === aggregate.prefix.length) return;
    if (this.#rib.isUndecided(id)) return;
    const before = (this.#parts[id] ?? 0) - 1;
    const set = this.#setOf(id);
    if (before === set) return;
    this.#parts = withRow(this.#parts, id);
    this.#parts[id] = set + 1;
    if (set >= 0) this.#add(aggregate, set);
    if (before >= 0) this.#remove(aggregate, before);
    this.#changed.add(aggregate);
  }

  /** Number of the attributes that the prefix is a part with; -1: it is none. */
  #setOf(id: number): number {
    const rib = this.#rib;
    const row = rib.bestOf(id);
    if (row < 0) return -1;
    return this.#exports?.mayAggregate(rib.pathOf(row)) ? rib.paths.attributesOf(row) : -1;
  }

  #add({ sets, summary }: Aggregate, set: number): void {
    const count = sets.get(set) ?? 0;
    sets.set(set, count + 1);
    if (count > 0) return;
    const { attributes } = this.#rib;
    attributes.retain(set);
    summary.add(attributes.dataOf(set).attributes);
  }

  #remove({ sets, summary }: Aggregate, set: number): void {
    const count = (sets.get(set) ?? 0) - 1;
    if (count > 0) {
      sets.set(set, count);
      return;
    }
    const { attributes } = this.#rib;
    sets.delete(set);
    summary.remove(attributes.dataOf(set).attributes);
    attributes.release(set);
  }

  #tell(aggregate: Aggregate): void {
    const { prefix, summary } = aggregate;
    const local = this.#local;
    this.#changed.delete(aggregate);
    aggregate.isTold = summary.size > 0;
    if (!aggregate.isTold || local === undefined) return this.#rib.remove(prefix, this.#source);
    const merged: PathAttributes = {
      ...summary.merged,
      localPreference: LOCAL_PREFERENCE,
      aggregator: { asn: local.confederation ?? local.asn, routerId: local.routerId },
    };
    // The communities of many routes may be more than a message holds.
    if (this.#put(prefix, merged)) return undefined;
    const { communities: _communities, largeCommunities: _largeCommunities, ...rest } = merged;
    this.#put(prefix, rest);
  }

  #put(prefix: Prefix, attributes: PathAttributes): boolean {
    const data = { attributes, nextHop: { family: prefix.family, value: 0n } };
    const isTaken = this.#rib.put({ prefix, data, source: this.#source });
    if (isTaken) this.#rib.hurry(prefix);
    return isTaken;
  }
}
