// Walks over a table for a client: each turn of the event loop has a part of it, and it ends where the call does.
import { type Address, addressBits, comparePrefixes, type Prefix, prefixOf } from '@calico/ip';
import type { Turns } from '../core/host/turns.ts';
import { type PrefixLimits, PrefixSpan } from '../core/rib/prefix_span.ts';
import type { PrefixTable } from '../core/rib/prefix_table.ts';
import type { RouteTable, Row } from './route_tables.ts';

export type Page = {
  /** Sorted by prefix. */
  readonly rows: readonly Row[];
  /** Whether other prefixes follow. */
  readonly isLast: boolean;
};

/** Asked between two pieces of a walk: whether it goes on. */
export type GoesOn = () => Promise<boolean>;

/** Prefixes that a walk looks at in one go: well under a millisecond. */
const SLICE = 4_096;
/** They are sorted in one go. */
const MOST_ROUTES = 4_096;

/** Lets others have their turn when this one is used up. */
export function inTurns(turns: Turns, signal: AbortSignal): GoesOn {
  return async () => {
    if (turns.isReadingOver) await new Promise<void>((resolve) => turns.defer(resolve));
    return !signal.aborted;
  };
}

/** Rows of the longest prefix that contains the address. */
export function lookUp(prefixes: PrefixTable, table: RouteTable, address: Address): readonly Row[] {
  for (let length: number = addressBits(address.family); length >= 0; length--) {
    const id = prefixes.find(prefixOf(address, length));
    const rows = id < 0 ? [] : table.rowsOf(id);
    if (rows.length > 0) return rows;
  }
  return [];
}

/** All rows, in no order. */
export async function* rowsOf(
  prefixes: PrefixTable,
  table: RouteTable,
  limits: PrefixLimits,
  goesOn: GoesOn,
): AsyncGenerator<Row, void, undefined> {
  const span = new PrefixSpan(limits);
  for (const id of numbers(prefixes, table, () => span)) {
    if (id !== undefined) yield* table.rowsOf(id);
    if (!(await goesOn())) return;
  }
}

/** The first `limit` rows, all rows of a prefix together. Less where the walk does not go on. */
export async function pageOf(
  prefixes: PrefixTable,
  table: RouteTable,
  limits: PrefixLimits,
  limit: number,
  goesOn: GoesOn,
): Promise<Page> {
  const most = Math.min(limit, MOST_ROUTES);
  for (let { after } = limits; ; ) {
    const first = await firstOf(prefixes, table, { ...limits, after }, most, goesOn);
    const rows: Row[] = [];
    let count = 0;
    for (const prefix of first) {
      if (rows.length >= most) break;
      count += 1;
      after = prefix;
      const id = prefixes.find(prefix);
      if (id >= 0) rows.push(...table.rowsOf(id));
      if (!(await goesOn())) return { rows, isLast: true };
    }
    const isLast = count === first.length && first.length <= most;
    // What was found may have gone meanwhile.
    if (isLast || rows.length > 0) return { rows, isLast };
  }
}

/** Prefixes that have rows, sorted: one more than `most` where there are as many. */
async function firstOf(
  prefixes: PrefixTable,
  table: RouteTable,
  limits: PrefixLimits,
  most: number,
  goesOn: GoesOn,
): Promise<readonly Prefix[]> {
  let kept: Prefix[] = [];
  let span = new PrefixSpan(limits);
  const cut = (): void => {
    kept.sort(comparePrefixes);
    kept = kept.slice(0, most + 1);
    if (kept.length > most) span = new PrefixSpan({ ...limits, upTo: kept.at(-1) });
  };
  for (const id of numbers(prefixes, table, () => span)) {
    if (id !== undefined) kept.push(prefixes.prefixOf(id));
    if (kept.length > 2 * most + SLICE) cut();
    if (id === undefined && !(await goesOn())) break;
  }
  cut();
  return kept;
}

/** Of prefixes that the table has rows of; undefined now and then, as there may be none for long. */
function* numbers(
  prefixes: PrefixTable,
  table: RouteTable,
  span: () => PrefixSpan,
): Generator<number | undefined, void, undefined> {
  for (let id = 0; id < prefixes.limit; id++) {
    if (prefixes.has(id) && span().holds(prefixes, id) && table.has(id)) yield id;
    if (id % SLICE === SLICE - 1) yield undefined;
  }
}
