// Which of a few prefixes contains one of the table, without big numbers.
import type { Family, Prefix } from '@calico/ip';
import type { PrefixTable } from './prefix_table.ts';

/** The first bits of an address, as the table has them. */
export type Bits = { readonly words: readonly number[]; readonly length: number };

export function bitsOf({ family, value, length }: Prefix): Bits {
  if (family === 4) return { words: [Number(value)], length };
  const words = [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffff_ffffn));
  return { words, length };
}

/** Whether the table's prefix, which is of the same family, begins with as many bits. 0: always. */
export function beginsWith(table: PrefixTable, id: number, { words }: Bits, bits: number): boolean {
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
      if (beginsWith(table, id, range, range.length)) return index;
    }
    return -1;
  }
}
