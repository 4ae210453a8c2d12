// Addresses in order, to find out whether a prefix of the table leads to any of them. They are held in short parts, as
// peers may tell very many next hops in any order: what comes moves those of its part, not all that are behind it.
import type { Address, Family } from '@calico/ip';
import { type Bits, beginsWith, bitsOf } from './prefix_ranges.ts';
import type { PrefixTable } from './prefix_table.ts';

/** Addresses in a part, at most. */
const MOST = 512;

type WordAt = (index: number) => number;
/** Parts in order, none empty. */
type Parts = Bits[][];

export class SortedAddresses {
  readonly #parts: Readonly<Record<Family, Parts>> = { 4: [], 6: [] };

  constructor(addresses: Iterable<Address> = []) {
    for (const address of addresses) this.add(address);
  }

  add(address: Address): void {
    const parts = this.#parts[address.family];
    const bits = bitsOf({ ...address, length: 0 });
    const wordAt = wordsOf(bits);
    const index = Math.min(partFrom(parts, wordAt), parts.length - 1);
    const part = parts[index];
    if (part === undefined) {
      parts.push([bits]);
      return;
    }
    const at = firstFrom(part, wordAt);
    if (isAt(part[at], bits)) return;
    part.splice(at, 0, bits);
    if (part.length > MOST) parts.splice(index + 1, 0, part.splice(MOST / 2));
  }

  delete(address: Address): void {
    const parts = this.#parts[address.family];
    const bits = bitsOf({ ...address, length: 0 });
    const index = partFrom(parts, wordsOf(bits));
    const part = parts[index] ?? [];
    const at = firstFrom(part, wordsOf(bits));
    if (!isAt(part[at], bits)) return;
    part.splice(at, 1);
    if (part.length === 0) parts.splice(index, 1);
  }

  has(address: Address): boolean {
    const bits = bitsOf({ ...address, length: 0 });
    return isAt(this.#from(address.family, wordsOf(bits)), bits);
  }

  /** Whether any of them is inside of the table's prefix. */
  hasInside(table: PrefixTable, id: number): boolean {
    const first = this.#from(table.familyOf(id), (index) => table.wordOf(id, index));
    return first !== undefined && beginsWith(table, id, first, table.lengthOf(id));
  }

  /** The first address that is not before the one with these words. */
  #from(family: Family, wordAt: WordAt): Bits | undefined {
    const parts = this.#parts[family];
    const [first] = parts[0] ?? [];
    const last = parts.at(-1)?.at(-1);
    // Nearly always: nodes and pods have addresses of different networks.
    if (first === undefined || last === undefined || isBefore(last, wordAt)) return undefined;
    if (!isBefore(first, wordAt)) return first;
    const part = parts[partFrom(parts, wordAt)];
    return part?.[firstFrom(part, wordAt)];
  }
}

/** Index of the part that the first address is in that is not before the one with these words. */
function partFrom(parts: Parts, wordAt: WordAt): number {
  return search(parts.length, (index) => isBefore(parts[index]?.at(-1) as Bits, wordAt));
}

function firstFrom(part: readonly Bits[], wordAt: WordAt): number {
  return search(part.length, (index) => isBefore(part[index] as Bits, wordAt));
}

/** The first index for which it is not so; it is so for all before it. */
function search(length: number, isSo: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isSo(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function wordsOf({ words }: Bits): WordAt {
  return (index) => words[index] as number;
}

function isBefore({ words }: Bits, wordAt: WordAt): boolean {
  for (let index = 0; index < words.length; index++) {
    const word = words[index] as number;
    const other = wordAt(index) >>> 0;
    if (word !== other) return word < other;
  }
  return false;
}

function isAt(found: Bits | undefined, { words }: Bits): boolean {
  return found?.words.every((word, index) => word === words[index]) === true;
}
