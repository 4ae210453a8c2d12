// Ranges of addresses as blocks of one length. A hash of blocks, asked with the address under a mask, costs a packet a
// twentieth of what a tree of ranges or a pipapo set does.
import { addressBits, type Family } from '@calico/ip';
import type { Box, OwnedBox } from './boxes.ts';
import type { Column, Range } from './shape.ts';

export type Blocks = {
  /** Of the blocks of each column; undefined where it is no address. */
  readonly lengths: readonly (number | undefined)[];
  /** One for each combination of blocks; of a block the first address stands for it. */
  readonly boxes: readonly OwnedBox[];
};

/** `boxes`: of which no two overlap. Undefined: ports are ranges, or they would be more than `most`. */
export function blocksOf(
  boxes: readonly OwnedBox[],
  columns: readonly Column[],
  family: Family | undefined,
  most: number,
): Blocks | undefined {
  const bits = addressBits(family ?? 4);
  const isAddress = columns.map((column) => column === 'saddr' || column === 'daddr');
  const isHash = boxes.every(({ box }) =>
    box.every(({ first, last }, index) => isAddress[index] || first === last),
  );
  if (!isHash) return undefined;
  const hostBits = columns.map((_, index) =>
    Math.min(...boxes.map(({ box }) => evenBits(box[index], bits))),
  );
  const sizes = hostBits.map((one, index) => (isAddress[index] ? 1n << BigInt(one) : 1n));
  let count = 0n;
  for (const { box } of boxes) {
    count += box.reduce(
      (product, { first, last }, index) => product * ((last - first + 1n) / (sizes[index] ?? 1n)),
      1n,
    );
  }
  if (count > BigInt(most)) return undefined;
  return {
    lengths: hostBits.map((one, index) => (isAddress[index] ? bits - one : undefined)),
    boxes: boxes.flatMap(({ owner, box }) => cut(box, sizes).map((one) => ({ owner, box: one }))),
  };
}

/** Into blocks of how many bits the range can be cut. */
function evenBits(range: Range | undefined, bits: number): number {
  if (range === undefined) return 0;
  const ends = range.first | (range.last + 1n);
  let even = 0;
  while (even < bits && ((ends >> BigInt(even)) & 1n) === 0n) even++;
  return even;
}

function cut(box: Box, sizes: readonly bigint[]): Box[] {
  return box.reduce<Range[][]>(
    (all, { first, last }, index) => {
      const size = sizes[index] ?? 1n;
      const starts = Array.from({ length: Number((last - first + 1n) / size) }, (_, n) => {
        const start = first + BigInt(n) * size;
        return { first: start, last: start };
      });
      return all.flatMap((before) => starts.map((start) => [...before, start]));
    },
    [[]],
  );
}
