// Which of a few prefixes contains one of the table, without big numbers.
import type { Address, Family, Prefix } from '@calico/ip';
import type { PrefixTable } from './prefix_table.ts';

/** Words of an address, 32 bits in each. */
export const WORDS = { 4: 1, 6: 4 } as const;

/** The first bits of an address, as the table has them. */
export type Bits = { readonly words: Uint32Array; readonly length: number };

export function bitsOf(prefix: Prefix): Bits {
  return { words: wordsOf(prefix), length: prefix.length };
}

/** Of an address or a prefix, the highest first. */
export function wordsOf({ family, value }: Address | Prefix): Uint32Array {
  const words = new Uint32Array(WORDS[family]);
  for (let at = words.length - 1, left = value; at >= 0; at--, left >>= 32n) {
    words[at] = Number(left & 0xffff_ffffn);
  }
  return words;
}

/** Whether the table's prefix, which is of the same family, begins with as many bits. 0: always. */
export function beginsWith(
  table: PrefixTable,
  id: number,
  words: Uint32Array,
  bits: number,
): boolean {
  for (let at = 0, left = bits; left > 0; at++, left -= 32) {
    const difference = table.wordOf(id, at) ^ (words[at] as number);
    if (left >= 32 ? difference !== 0 : difference >>> (32 - left) !== 0) return false;
  }
  return true;
}

type Range = Bits & { readonly family: Family };

export class PrefixRanges {
  readonly #ranges: readonly Range[];

  constructor(prefixes: readonly Prefix[]) {
    this.#ranges = prefixes.map((prefix) => ({ ...bitsOf(prefix), family: prefix.family }));
  }

  /** Index of the last one that contains the prefix; -1 when none does. */
  lastContaining(table: PrefixTable, id: number): number {
    const ranges = this.#ranges;
    if (ranges.length === 0) return -1;
    const family = table.familyOf(id);
    const length = table.lengthOf(id);
    for (let index = ranges.length - 1; index >= 0; index--) {
      const range = ranges[index] as Range;
      if (range.family !== family || range.length > length) continue;
      if (beginsWith(table, id, range.words, range.length)) return index;
    }
    return -1;
  }
}
