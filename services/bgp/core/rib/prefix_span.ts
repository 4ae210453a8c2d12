// A part of the table's prefixes, in the order of comparePrefixes(), without big numbers: a page of a million routes is
// found by a look at each.
import type { Prefix } from '@calico/ip';
import { type Bits, bitsOf, PrefixRanges } from './prefix_ranges.ts';
import type { PrefixTable } from './prefix_table.ts';

export type PrefixLimits = {
  /** Only prefixes inside of this one, which is one of them. */
  readonly within?: Prefix | undefined;
  /** Only prefixes behind this one. */
  readonly after?: Prefix | undefined;
  /** Only prefixes up to this one, which is one of them. */
  readonly upTo?: Prefix | undefined;
};

export class PrefixSpan {
  readonly #within: PrefixRanges | undefined;
  readonly #after: Place | undefined;
  readonly #upTo: Place | undefined;

  constructor({ within, after, upTo }: PrefixLimits) {
    this.#within = within && new PrefixRanges([within]);
    this.#after = after && placeOf(after);
    this.#upTo = upTo && placeOf(upTo);
  }

  holds(table: PrefixTable, id: number): boolean {
    if (this.#within !== undefined && this.#within.lastContaining(table, id) < 0) return false;
    if (this.#after !== undefined && compare(table, id, this.#after) <= 0) return false;
    return this.#upTo === undefined || compare(table, id, this.#upTo) <= 0;
  }
}

type Place = Bits & { readonly family: number };

function placeOf(prefix: Prefix): Place {
  return { ...bitsOf(prefix), family: prefix.family };
}

function compare(table: PrefixTable, id: number, { family, words, length }: Place): number {
  const families = table.familyOf(id) - family;
  if (families !== 0) return families;
  for (let at = 0; at < words.length; at++) {
    const difference = table.wordOf(id, at) - (words[at] as number);
    if (difference !== 0) return difference;
  }
  return table.lengthOf(id) - length;
}
