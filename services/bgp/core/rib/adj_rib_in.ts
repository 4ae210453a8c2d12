// What one peer has announced: what import policy let in, and what it kept out, so that a new policy
// can judge everything again. Stale routes await the peer's return.
import type { Family, Prefix } from '@calico/ip';
import type { FewRows } from './few_rows.ts';
import type { LocRib } from './loc_rib.ts';
import type { Path, PathData, PathSource } from './path.ts';
import { PathFlag } from './path_table.ts';

/** Paths of others that a walk looks at in one go. */
const WALK_PAUSE = 16_384;

/** What is left of a turn for walks over the table; they use it up. */
export type WalkBudget = {
  /** Of the table, to pass over. */
  rows: number;
  /** Of peers, to work on. */
  paths: number;
};

/** A route that import policy has kept out. */
export type RefusedRoute = {
  readonly prefix: Prefix;
  /** As the peer has told it. */
  readonly data: PathData;
  readonly source: PathSource;
  readonly reason: string;
};

export type ToldPath = {
  /** 0 where the peer gives its paths no identifiers. */
  readonly pathId: number;
  /** As the peer has told it. */
  readonly received: PathData;
  /** As import policy has let it in; undefined: it has kept it out. */
  readonly data: PathData | undefined;
};

/** A view of the routing table's paths that come from this peer. */
export class AdjRibIn implements Iterable<Path> {
  /** Number of the peer among the table's sources. */
  readonly source: number;
  readonly #rib: LocRib;

  constructor(rib: LocRib, source: PathSource) {
    this.#rib = rib;
    this.source = rib.paths.addSource(source);
  }

  /** Routes that were let in. */
  get size(): number {
    return this.#rib.paths.acceptedOf(this.source);
  }

  get refusedCount(): number {
    return this.#rib.paths.refusedOf(this.source);
  }

  get staleCount(): number {
    return this.#rib.paths.staleOf(this.source);
  }

  /** The first of its paths that was let in. */
  get(prefix: Prefix): Path | undefined {
    const { paths } = this.#rib;
    for (const row of this.#rowsTo(prefix)) if (paths.isLetIn(row)) return this.#rib.pathOf(row);
    return undefined;
  }

  /** Those of its paths to a prefix that were let in, and whose next hop the kernel cannot reach. */
  cutOffTo(prefix: Prefix): readonly Path[] {
    const { paths } = this.#rib;
    return this.#rowsTo(prefix)
      .filter((row) => paths.is(row, PathFlag.CutOff))
      .map((row) => this.#rib.pathOf(row));
  }

  /** Rows of all of its paths to the prefix of a number, let in or not. */
  rowsOf(prefix: number): number[] {
    const { paths } = this.#rib;
    if (!paths.hasPaths(prefix, this.source)) return [];
    const rows: number[] = [];
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      if (this.#isOwn(row)) rows.push(row);
    }
    return rows;
  }

  /** All of its paths to a prefix. */
  *allTo(prefix: Prefix): Generator<ToldPath, void, undefined> {
    const { paths, attributes } = this.#rib;
    for (const row of this.#rowsTo(prefix)) {
      yield {
        pathId: paths.pathIdOf(row),
        received: attributes.dataOf(paths.receivedOf(row)),
        data: paths.isLetIn(row) ? attributes.dataOf(paths.attributesOf(row)) : undefined,
      };
    }
  }

  /** All of its paths to a prefix that policy has kept out. */
  refusedTo(prefix: Prefix): readonly RefusedRoute[] {
    return this.#rowsTo(prefix)
      .filter((row) => this.#rib.paths.isRefused(row))
      .map((row) => this.#refusedAt(row));
  }

  *refused(): Generator<RefusedRoute, void, undefined> {
    for (const row of this.#rows()) {
      if (this.#rib.paths.isRefused(row)) yield this.#refusedAt(row);
    }
  }

  /** Prefixes of all that it has told, let in or not; undefined now and then, as there may be none for long. */
  *walk(): Generator<Prefix | undefined, void, undefined> {
    const { paths, prefixes } = this.#rib;
    for (let row = 0; row < paths.limit && !this.#isEmpty; row++) {
      if (this.#isOwn(row)) yield prefixes.prefixOf(paths.prefixOf(row));
      if (row % WALK_PAUSE === WALK_PAUSE - 1) yield undefined;
    }
  }

  isStale(prefix: Prefix): boolean {
    return this.#rowsTo(prefix).some((row) => this.#rib.paths.is(row, PathFlag.Stale));
  }

  /**
   * Who the peer is now: the decision and what others are told depend on it.
   * @returns whether routes that it has are to be judged anew for that
   */
  setSource(source: PathSource): boolean {
    const before = this.#rib.paths.sourceAt(this.source);
    this.#rib.paths.setSource(this.source, source);
    return !this.#isEmpty && !isSame(before, source);
  }

  /** Whether the peer is a client of this reflector is another matter now, also while it is away. */
  setClient(isClient: boolean): void {
    const source = this.#rib.paths.sourceAt(this.source);
    if (source.kind === 'peer') this.#rib.paths.setSource(this.source, { ...source, isClient });
  }

  /** The peer is none any more, and all its paths are doomed. On links routes are planned by its number. */
  retire(): void {
    const { paths } = this.#rib;
    const source = paths.sourceAt(this.source);
    if (source.kind === 'peer' && source.interface === undefined) paths.retireSource(this.source);
  }

  /** Costs a walk over all routes only after many were told since the last one. */
  markStale(families: readonly Family[]): void {
    if (families.length === 0 || this.#isEmpty) return;
    const { paths } = this.#rib;
    const { fresh } = paths.fewOf(this.source);
    this.#eachOfFew(
      fresh,
      families,
      (row, family) => {
        if (paths.is(row, PathFlag.Stale)) return;
        if (families.includes(family)) paths.setFlag(row, PathFlag.Stale, true);
        else fresh.add(row);
      },
      (isMeant) => paths.staleAllOf(this.source, isMeant),
    );
  }

  /**
   * Changes what the peer has told, and leaves it stale: rows of the table from `from` on, while the budget lasts.
   * @param change undefined: the route goes, as it does when it becomes too long
   * @param judge attributes of the path as PathTable.attributesOf() has them
   * @returns where to go on; -1 at the end
   */
  age(
    families: readonly Family[],
    from: number,
    budget: WalkBudget,
    change: (data: PathData) => PathData | undefined,
    judge: (prefix: number, received: number) => number,
  ): number {
    const { paths, prefixes, attributes } = this.#rib;
    for (let row = from; row < paths.limit; row++) {
      if (budget.rows <= 0 || budget.paths <= 0) return row;
      budget.rows -= 1;
      if (!this.#isOwn(row) || !families.includes(prefixes.familyOf(paths.prefixOf(row)))) continue;
      budget.paths -= 1;
      const data = change(attributes.dataOf(paths.receivedOf(row)));
      const received = data === undefined ? -1 : attributes.intern(data);
      if (received < 0) {
        this.#rib.doom(row);
        continue;
      }
      const prefix = paths.prefixOf(row);
      this.#rib.putRow(prefix, this.source, paths.pathIdOf(row), received, judge(prefix, received));
      attributes.release(received);
      paths.setFlag(row, PathFlag.Stale, true);
    }
    return -1;
  }

  /**
   * Takes out what is still stale; how many of the routes that were let in. Costs a walk over all routes only
   * after many became stale since the last one.
   */
  sweep(families: readonly Family[]): number {
    if (this.staleCount === 0) return 0;
    const before = this.size;
    const { paths } = this.#rib;
    const { stale } = paths.fewOf(this.source);
    this.#eachOfFew(
      stale,
      families,
      (row, family) => {
        if (!paths.is(row, PathFlag.Stale)) return;
        if (families.includes(family)) this.#rib.doom(row);
        else stale.add(row);
      },
      (isMeant) => this.#rib.doomStaleOf(this.source, isMeant),
    );
    return before - this.size;
  }

  /** Takes out all routes of families not named; how many of those that were let in. */
  retainOnly(families: readonly Family[]): number {
    if (families.length === 0) return this.#doomAll();
    if (this.#isEmpty) return 0;
    const before = this.size;
    this.#each((row, family) => {
      if (!families.includes(family)) this.#rib.doom(row);
    });
    return before - this.size;
  }

  /**
   * Judges rows of the table from `from` on anew, while the budget lasts.
   * @param judge attributes of the path as PathTable.attributesOf() has them
   * @returns where to go on; -1 at the end
   */
  reconsider(
    from: number,
    budget: WalkBudget,
    judge: (prefix: number, received: number) => number,
  ): number {
    const { paths } = this.#rib;
    for (let row = from; row < paths.limit; row++) {
      if (budget.rows <= 0 || budget.paths <= 0) return row;
      budget.rows -= 1;
      if (!this.#isOwn(row)) continue;
      budget.paths -= 1;
      this.#rib.judge(row, judge(paths.prefixOf(row), paths.receivedOf(row)));
      this.#rib.reconsider(row);
    }
    return -1;
  }

  *[Symbol.iterator](): Generator<Path, void, undefined> {
    for (const row of this.#rows()) {
      if (this.#rib.paths.isLetIn(row)) yield this.#rib.pathOf(row);
    }
  }

  #doomAll(): number {
    const before = this.size;
    if (!this.#isEmpty) this.#rib.doomAllOf(this.source);
    return before;
  }

  /**
   * Goes through the rows that are remembered, or else through all.
   * @param visit puts back those it leaves
   * @param visitAll does the same for very many; it is told which prefixes are meant by their numbers
   */
  #eachOfFew(
    few: FewRows,
    families: readonly Family[],
    visit: (row: number, family: Family) => void,
    visitAll: (isMeant: (prefix: number) => boolean) => void,
  ): void {
    const { prefixes, paths } = this.#rib;
    const rows = few.take(families);
    if (rows === undefined) {
      if (paths.hasManyOf(this.source)) {
        visitAll((prefix) => families.includes(prefixes.familyOf(prefix)));
      } else {
        this.#each((row, family) => {
          if (families.includes(family)) visit(row, family);
        });
      }
      few.clear(families);
      return;
    }
    for (const row of rows) {
      if (this.#isOwn(row)) visit(row, prefixes.familyOf(paths.prefixOf(row)));
    }
  }

  /** Goes through all of its rows. */
  #each(visit: (row: number, family: Family) => void): void {
    const { paths, prefixes } = this.#rib;
    paths.eachOf(this.source, prefixes.limit, (row) => {
      if (paths.is(row, PathFlag.Doomed)) return;
      visit(row, prefixes.familyOf(paths.prefixOf(row)));
    });
  }

  /** A walk over the whole table would find nothing: so it is for every session that begins. */
  get #isEmpty(): boolean {
    return this.size === 0 && this.refusedCount === 0;
  }

  #isOwn(row: number): boolean {
    const { paths } = this.#rib;
    return paths.has(row) && paths.sourceOf(row) === this.source && !paths.is(row, PathFlag.Doomed);
  }

  *#rows(): Generator<number, void, undefined> {
    for (let row = 0; row < this.#rib.paths.limit; row++) if (this.#isOwn(row)) yield row;
  }

  #rowsTo(prefix: Prefix): number[] {
    const id = this.#rib.prefixes.find(prefix);
    return id < 0 ? [] : this.rowsOf(id);
  }

  #refusedAt(row: number): RefusedRoute {
    const { paths, reasons } = this.#rib;
    const { prefix, data, source } = this.#rib.pathOf(row);
    return { prefix, data, source, reason: reasons.textOf(-1 - paths.attributesOf(row)) };
  }
}

function isSame(a: PathSource, b: PathSource): boolean {
  if (a.kind !== 'peer' || b.kind !== 'peer') return a === b;
  return (
    a.routerId === b.routerId &&
    a.isInternal === b.isInternal &&
    a.isMember === b.isMember &&
    a.isClient === b.isClient &&
    a.interface === b.interface
  );
}
