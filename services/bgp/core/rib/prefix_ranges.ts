// Which of a few prefixes contains one of the table, without big numbers.
import type { Prefix } from '@calico/ip';
import type { PrefixTable } from './prefix_table.ts';

type Range = {
  readonly family: 4 | 6;
  readonly length: number;
  readonly words: Uint32Array;
  readonly masks: Uint32Array;
};

export class PrefixRanges {
  readonly #ranges: readonly Range[];

  constructor(prefixes: readonly Prefix[]) {
    this.#ranges = prefixes.map(rangeOf);
  }

  /** Index of the last one that contains the prefix; -1 when none does. */
  lastContaining(table: PrefixTable, id: number): number {
    const family = table.familyOf(id);
    const length = table.lengthOf(id);
    for (let index = this.#ranges.length - 1; index >= 0; index--) {
      const range = this.#ranges[index] as Range;
      if (range.family !== family || range.length > length) continue;
      if (contains(range, table, id)) return index;
    }
    return -1;
  }
}

function contains({ words, masks }: Range, table: PrefixTable, id: number): boolean {
  for (let at = 0; at < words.length; at++) {
    const difference = table.wordOf(id, at) ^ (words[at] as number);
    if ((difference & (masks[at] as number)) !== 0) return false;
  }
  return true;
}

function rangeOf({ family, value, length }: Prefix): Range {
  const count = family === 4 ? 1 : 4;
  const words = Uint32Array.from({ length: count }, (_, at) =>
    Number((value >> BigInt(32 * (count - 1 - at))) & 0xffff_ffffn),
  );
  const masks = words.map((_, at) => {
    const bits = Math.min(32, length - 32 * at);
    return bits <= 0 ? 0 : (0xffff_ffff << (32 - bits)) >>> 0;
  });
  return { family, length, words, masks };
}
