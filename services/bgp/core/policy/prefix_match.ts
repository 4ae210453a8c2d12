// The condition that a filter's rule puts on prefixes, as BIRD's prefix patterns.
import { addressBits, type Prefix } from '@calico/ip';
import { type Bits, beginsWith, bitsOf } from '../rib/prefix_ranges.ts';
import type { PrefixTable } from '../rib/prefix_table.ts';

export type PrefixMatch = {
  readonly operator: 'Equal' | 'NotEqual' | 'In' | 'NotIn';
  readonly prefix: Prefix;
  /** Undefined: no bounds were given. */
  readonly lengths: { readonly min: number; readonly max: number } | undefined;
};

export function matchesPrefix({ operator, prefix, lengths }: PrefixMatch, route: Prefix): boolean {
  const isPositive = operator === 'Equal' || operator === 'In';
  const isExact = operator === 'Equal' || operator === 'NotEqual';
  return isPositive === (isExact ? isEqual(prefix, lengths, route) : isIn(prefix, lengths, route));
}

function isEqual(prefix: Prefix, lengths: PrefixMatch['lengths'], route: Prefix): boolean {
  if (route.value !== prefix.value || route.length !== prefix.length) return false;
  return lengths === undefined || (route.length >= lengths.min && route.length <= lengths.max);
}

/** With a low minimum also what contains the pattern's prefix. */
function isIn(prefix: Prefix, lengths: PrefixMatch['lengths'], route: Prefix): boolean {
  const { min, max } = lengths ?? { min: prefix.length, max: addressBits(prefix.family) };
  if (route.length < min || route.length > max) return false;
  const shift = BigInt(addressBits(prefix.family) - Math.min(prefix.length, route.length));
  return prefix.value >> shift === route.value >> shift;
}

/** The same, asked by numbers of the table: big numbers cost more than all else that is done for a prefix. */
export class PrefixPattern {
  readonly #bits: Bits;
  readonly #isPositive: boolean;
  /** Lengths of prefixes that may be inside; of none when it is above `#max`. */
  readonly #min: number;
  readonly #max: number;

  constructor({ operator, prefix, lengths }: PrefixMatch) {
    const isExact = operator === 'Equal' || operator === 'NotEqual';
    const { length } = prefix;
    this.#bits = bitsOf(prefix);
    this.#isPositive = operator === 'Equal' || operator === 'In';
    const all = { min: length, max: isExact ? length : addressBits(prefix.family) };
    const { min, max } = lengths ?? all;
    this.#min = isExact ? Math.max(min, length) : min;
    this.#max = isExact ? Math.min(max, length) : max;
  }

  matches(table: PrefixTable, id: number): boolean {
    const length = table.lengthOf(id);
    const isInside =
      length >= this.#min &&
      length <= this.#max &&
      beginsWith(table, id, this.#bits.words, Math.min(length, this.#bits.length));
    return this.#isPositive === isInside;
  }
}
