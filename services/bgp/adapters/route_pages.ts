import { setImmediate as turn } from 'node:timers/promises';
import { type Address, comparePrefixes, type Prefix, prefixContains } from '@calico/ip';

type Row = { readonly prefix: Prefix };

export type Page<T extends Row> = {
  /** Sorted by prefix. */
  readonly rows: readonly T[];
  /** Whether other prefixes follow. */
  readonly isLast: boolean;
};

/** Rows between two turns of the event loop: well under a millisecond of work. */
const SLICE = 512;

/** Lets others have their turn after so many rows. */
export async function* unhurried<T>(
  rows: Iterable<T>,
  slice = SLICE,
): AsyncGenerator<T, void, undefined> {
  let count = 0;
  for (const row of rows) {
    count += 1;
    if (count % slice === 0) await turn();
    yield row;
  }
}

/** The first `limit` rows after a prefix, in the order of prefixes; all rows of a prefix together. */
export async function pageOf<T extends Row>(
  rows: AsyncIterable<T>,
  limit: number,
  after: Prefix | undefined,
): Promise<Page<T>> {
  let kept: T[] = [];
  let isCut = false;
  const cut = (): void => {
    kept.sort((a, b) => comparePrefixes(a.prefix, b.prefix));
    const last = kept[limit - 1];
    if (last === undefined) return;
    const end = kept.findIndex(({ prefix }) => comparePrefixes(prefix, last.prefix) > 0);
    if (end < 0) return;
    kept = kept.slice(0, end);
    isCut = true;
  };
  for await (const row of rows) {
    if (!isBehind(row, after)) continue;
    kept.push(row);
    if (kept.length > 4 * limit + SLICE) cut();
  }
  cut();
  return { rows: kept, isLast: !isCut };
}

/** Whether a row comes after a prefix, in the order of prefixes. */
export function isBehind({ prefix }: Row, after: Prefix | undefined): boolean {
  return after === undefined || comparePrefixes(prefix, after) > 0;
}

/** Rows of the longest prefix that contains the address. */
export async function matchOf<T extends Row>(
  rows: AsyncIterable<T>,
  address: Address,
): Promise<readonly T[]> {
  let found: T[] = [];
  for await (const row of rows) {
    if (!prefixContains(row.prefix, address)) continue;
    const longest = found[0]?.prefix.length ?? -1;
    if (row.prefix.length > longest) found = [row];
    else if (row.prefix.length === longest) found.push(row);
  }
  return found;
}
