// Which path of a prefix is used: RFC 4271 section 9.1.2, route reflection RFC 4456 section 9. Works on
// rows of the tables, as it runs for every change of a large table.
import { compareAddresses } from '@calico/ip';
import type { AttributeTable } from './attribute_table.ts';
import type { PathTable } from './path_table.ts';

/** Smaller is better. */
type Rule = { readonly name: string; readonly compare: (a: number, b: number) => number };

/** In an attribute table's rank: what the length of the AS path counts, the local preference, and staleness. */
const PATH_LENGTH = 4;
const LOCAL_PREFERENCE = 0x1_0000;
const STALE = 2 ** 48;
/** More than any rank of attributes. */
const ORIGIN = 2 ** 49;

export class Decision {
  readonly #paths: PathTable;
  readonly #attributes: AttributeTable;
  /** The best path and those as good up to the tie-breaks, with different next hops: of each the best. */
  readonly chosen: number[] = [];
  /** Rows that no rule has taken out yet: the first so many. An array that is emptied gets its memory anew. */
  readonly #remaining: number[] = [];
  #count = 0;

  constructor(paths: PathTable, attributes: AttributeTable) {
    this.#paths = paths;
    this.#attributes = attributes;
  }

  /** Row of the prefix's best path, or -1; what is used with it is in `chosen`, the best first. */
  decide(prefix: number): number {
    const { chosen } = this;
    const only = this.#paths.firstOf(prefix);
    if (only >= 0 && this.#paths.nextOf(only) < 0 && this.#paths.isUsable(only)) {
      return this.#choose(only);
    }
    this.#keepHighestRank(prefix);
    if (this.#count === 0) {
      chosen.length = 0;
      return -1;
    }
    if (this.#count === 1) return this.#choose(this.#remaining[0] as number);
    this.#removeWorseMed();
    this.#removeInternal();
    this.#removeFarther();
    const best = this.#choose(this.#breakTies());
    if (!this.#isLocal(best)) this.#addOtherNextHops();
    return best;
  }

  /**
   * Whether a path falls to the other by the first rules already: such a path has no say in anything, as
   * those that are left are compared among themselves. Both have been let in.
   */
  isOutclassed(row: number, by: number): boolean {
    return this.#wholeRank(row) > this.#wholeRank(by);
  }

  /** The rule by which `a` beats `b`; undefined when `b` is at least as good. */
  whyBetter(a: number, b: number): string | undefined {
    const isComparable = this.#neighbour(a) === this.#neighbour(b);
    for (const { name, compare } of this.#rules) {
      if (compare === this.#compareMed && !isComparable) continue;
      const order = compare(a, b);
      if (order !== 0) return order < 0 ? name : undefined;
    }
    return undefined;
  }

  /** A path that takes this one out, and by which rule; undefined when none does. */
  whyWorse(
    path: number,
    candidates: readonly number[],
  ): { readonly by: number; readonly rule: string } | undefined {
    for (const by of candidates) {
      const rule = by === path ? undefined : this.whyBetter(by, path);
      if (rule !== undefined) return { by, rule };
    }
    return undefined;
  }

  #choose(best: number): number {
    // Even when nothing changes, setting a length costs a call of the runtime.
    if (this.chosen.length !== 1) this.chosen.length = 1;
    this.chosen[0] = best;
    return best;
  }

  /** The first five rules in one comparison: who originates it, then what the rank of attributes says. */
  #wholeRank(row: number): number {
    return this.#origin(row) * ORIGIN + this.#rank(row);
  }

  #keepHighestRank(prefix: number): void {
    const remaining = this.#remaining;
    const paths = this.#paths;
    let count = 0;
    let lowest = Number.POSITIVE_INFINITY;
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      if (!paths.isUsable(row)) continue;
      const rank = this.#wholeRank(row);
      if (rank > lowest) continue;
      if (rank < lowest) count = 0;
      lowest = rank;
      remaining[count] = row;
      count += 1;
    }
    this.#count = count;
  }

  /** MED says something only among paths through one AS, so a path falls to any of its own AS. */
  #removeWorseMed(): void {
    const first = this.#med(this.#remaining[0] as number);
    if (this.#areAll((row) => this.#med(row) === first)) return;
    const lowest = new Map<number, number>();
    for (let at = 0; at < this.#count; at++) {
      const row = this.#remaining[at] as number;
      const med = this.#med(row);
      const neighbour = this.#neighbour(row);
      lowest.set(neighbour, Math.min(med, lowest.get(neighbour) ?? med));
    }
    this.#keep((row) => this.#med(row) === lowest.get(this.#neighbour(row)));
  }

  #removeInternal(): void {
    const first = this.#isInternal(this.#remaining[0] as number);
    if (this.#areAll((row) => this.#isInternal(row) === first)) return;
    this.#keep((row) => this.#isInternal(row) === 0);
  }

  /** What costs more to get to; also among those that are used together. */
  #removeFarther(): void {
    if (!this.#attributes.hops.hasFar) return;
    let lowest = Number.POSITIVE_INFINITY;
    for (let at = 0; at < this.#count; at++) {
      lowest = Math.min(lowest, this.#cost(this.#remaining[at] as number));
    }
    this.#keep((row) => this.#cost(row) === lowest);
  }

  #areAll(isSo: (row: number) => boolean): boolean {
    for (let at = 0; at < this.#count; at++) if (!isSo(this.#remaining[at] as number)) return false;
    return true;
  }

  #keep(stays: (row: number) => boolean): void {
    let count = 0;
    for (let at = 0; at < this.#count; at++) {
      const row = this.#remaining[at] as number;
      if (stays(row)) this.#remaining[count++] = row;
    }
    this.#count = count;
  }

  #breakTies(): number {
    let best = this.#remaining[0] as number;
    for (let at = 1; at < this.#count; at++) {
      const row = this.#remaining[at] as number;
      if (this.#compareTies(row, best) < 0) best = row;
    }
    return best;
  }

  #compareTies(a: number, b: number): number {
    for (const { compare } of this.#tieBreaks) {
      const order = compare(a, b);
      if (order !== 0) return order;
    }
    return 0;
  }

  #addOtherNextHops(): void {
    const { chosen } = this;
    for (let at = 0; at < this.#count; at++) {
      const row = this.#remaining[at] as number;
      const known = chosen.findIndex((other) => this.#haveSameNextHop(row, other));
      if (known < 0) chosen.push(row);
      // The first is the best of all.
      else if (known > 0 && this.#compareTies(row, chosen[known] as number) < 0)
        chosen[known] = row;
    }
  }

  #haveSameNextHop(a: number, b: number): boolean {
    return this.#nextHop(a) === this.#nextHop(b) && this.#interface(a) === this.#interface(b);
  }

  readonly #compareMed = (a: number, b: number): number => this.#med(a) - this.#med(b);

  readonly #tieBreaks: readonly Rule[] = [
    { name: 'lower router id', compare: (a, b) => this.#originator(a) - this.#originator(b) },
    {
      name: 'shorter cluster list',
      compare: (a, b) => this.#clusterLength(a) - this.#clusterLength(b),
    },
    { name: 'lower peer address', compare: (a, b) => this.#comparePeers(a, b) },
    { name: 'lower name of the client', compare: (a, b) => this.#compareClients(a, b) },
    {
      name: 'lower path identifier',
      compare: (a, b) => this.#paths.pathIdOf(a) - this.#paths.pathIdOf(b),
    },
  ];

  readonly #rules: readonly Rule[] = [
    {
      name: 'originated here',
      compare: (a, b) => this.#origin(a) - this.#origin(b),
    },
    {
      name: 'not stale for long',
      compare: (a, b) => Math.floor(this.#rank(a) / STALE) - Math.floor(this.#rank(b) / STALE),
    },
    {
      name: 'higher local preference',
      compare: (a, b) =>
        Math.floor(this.#rank(a) / LOCAL_PREFERENCE) - Math.floor(this.#rank(b) / LOCAL_PREFERENCE),
    },
    {
      name: 'shorter AS path',
      compare: (a, b) =>
        Math.floor(this.#rank(a) / PATH_LENGTH) - Math.floor(this.#rank(b) / PATH_LENGTH),
    },
    { name: 'lower origin', compare: (a, b) => this.#rank(a) - this.#rank(b) },
    { name: 'lower multi-exit discriminator', compare: this.#compareMed },
    {
      name: 'external before internal',
      compare: (a, b) => this.#isInternal(a) - this.#isInternal(b),
    },
    { name: 'nearer next hop', compare: (a, b) => this.#compareCosts(a, b) },
    ...this.#tieBreaks,
  ];

  #isLocal(row: number): boolean {
    return this.#paths.sourceAt(this.#paths.sourceOf(row)).kind === 'local';
  }

  /** This node, then clients of this process, then peers. */
  #origin(row: number): number {
    const source = this.#paths.sourceAt(this.#paths.sourceOf(row));
    if (source.kind === 'peer') return 2;
    return source.client === undefined ? 0 : 1;
  }

  #isInternal(row: number): number {
    const source = this.#paths.sourceAt(this.#paths.sourceOf(row));
    // RFC 5065 section 5.3: the confederation counts as inside.
    return source.kind === 'peer' && (source.isInternal || source.isMember) ? 1 : 0;
  }

  #rank(row: number): number {
    return this.#attributes.rankOf(this.#paths.attributesOf(row));
  }

  #med(row: number): number {
    return this.#attributes.medOf(this.#paths.attributesOf(row));
  }

  #neighbour(row: number): number {
    return this.#attributes.neighbourOf(this.#paths.attributesOf(row));
  }

  #nextHop(row: number): number {
    return this.#attributes.nextHopNumberOf(this.#paths.attributesOf(row));
  }

  /** Interior cost. The next hop of what is announced here is nobody's to be reached. */
  #cost(row: number): number {
    const { kind } = this.#paths.sourceAt(this.#paths.sourceOf(row));
    return kind === 'peer' ? this.#attributes.hops.costOf(this.#nextHop(row)) : 0;
  }

  #compareCosts(a: number, b: number): number {
    const [ofA, ofB] = [this.#cost(a), this.#cost(b)];
    // Both may be unknown.
    return ofA === ofB ? 0 : ofA - ofB;
  }

  /** Where a link-local next hop is. */
  #interface(row: number): string | undefined {
    const source = this.#paths.sourceAt(this.#paths.sourceOf(row));
    return source.kind === 'peer' ? source.interface : undefined;
  }

  #originator(row: number): number {
    const id = this.#attributes.originatorOf(this.#paths.attributesOf(row));
    const source = this.#paths.sourceAt(this.#paths.sourceOf(row));
    return id === 0 && source.kind === 'peer' ? source.routerId : id;
  }

  #clusterLength(row: number): number {
    return this.#attributes.clusterLengthOf(this.#paths.attributesOf(row));
  }

  #comparePeers(a: number, b: number): number {
    const [x, y] = [a, b].map((row) => this.#paths.sourceAt(this.#paths.sourceOf(row)));
    return x?.kind === 'peer' && y?.kind === 'peer' ? compareAddresses(x.address, y.address) : 0;
  }

  /** Each client has one path, so that none is left to chance. */
  #compareClients(a: number, b: number): number {
    const [x, y] = [a, b].map((row) => this.#paths.sourceAt(this.#paths.sourceOf(row)));
    if (x?.kind !== 'local' || y?.kind !== 'local') return 0;
    const [first = '', second = ''] = [x.client, y.client];
    return first < second ? -1 : Number(first > second);
  }
}
