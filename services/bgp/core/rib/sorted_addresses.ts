// Addresses in order, to find out whether a prefix of the table leads to any of them.
import type { Address, Family } from '@calico/ip';
import { type Bits, beginsWith, bitsOf } from './prefix_ranges.ts';
import type { PrefixTable } from './prefix_table.ts';

export class SortedAddresses {
  readonly #sorted: Readonly<Record<Family, Bits[]>> = { 4: [], 6: [] };

  constructor(addresses: Iterable<Address> = []) {
    for (const address of addresses) this.add(address);
  }

  add(address: Address): void {
    const bits = bitsOf({ ...address, length: 0 });
    const sorted = this.#sorted[address.family];
    const at = firstFrom(sorted, (index) => bits.words[index] as number);
    if (!isAt(sorted[at], bits)) sorted.splice(at, 0, bits);
  }

  delete(address: Address): void {
    const bits = bitsOf({ ...address, length: 0 });
    const sorted = this.#sorted[address.family];
    const at = firstFrom(sorted, (index) => bits.words[index] as number);
    if (isAt(sorted[at], bits)) sorted.splice(at, 1);
  }

  has(address: Address): boolean {
    const bits = bitsOf({ ...address, length: 0 });
    const sorted = this.#sorted[address.family];
    return isAt(sorted[firstFrom(sorted, (index) => bits.words[index] as number)], bits);
  }

  /** Whether any of them is inside of the table's prefix. */
  hasInside(table: PrefixTable, id: number): boolean {
    const sorted = this.#sorted[table.familyOf(id)];
    const first = sorted[firstFrom(sorted, (index) => table.wordOf(id, index))];
    return first !== undefined && beginsWith(table, id, first, table.lengthOf(id));
  }
}

/** Index of the first address that is not before the one with these words. */
function firstFrom(sorted: readonly Bits[], wordAt: (index: number) => number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(sorted[middle] as Bits, wordAt)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isBefore({ words }: Bits, wordAt: (index: number) => number): boolean {
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
