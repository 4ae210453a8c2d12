// Addresses in order, to find out whether a prefix of the table leads to any of them. They are held in short parts, as
// peers may tell very many next hops in any order: what comes moves those of its part, not all that are behind it.
import type { Address, Family } from '@calico/ip';
import { beginsWith, WORDS, wordsOf } from './prefix_ranges.ts';
import type { PrefixTable } from './prefix_table.ts';

/** Addresses in a part, at most. */
const MOST = 512;

export class SortedAddresses {
  readonly #lists: Readonly<Record<Family, AddressList>> = {
    4: new AddressList(4),
    6: new AddressList(6),
  };

  constructor(addresses: Iterable<Address> = []) {
    for (const address of addresses) this.add(address);
  }

  add(address: Address): void {
    this.#lists[address.family].add(wordsOf(address));
  }

  delete(address: Address): void {
    this.#lists[address.family].delete(wordsOf(address));
  }

  has(address: Address): boolean {
    return this.#lists[address.family].has(wordsOf(address));
  }

  /** Whether any of them is inside of the table's prefix. */
  hasInside(table: PrefixTable, id: number): boolean {
    return this.#lists[table.familyOf(id)].hasInside(table, id);
  }
}

/** Those of one family. */
class AddressList {
  readonly #width: number;
  /** In order, at least one; none empty but for the only one. */
  readonly #parts: Part[];
  /** Of a prefix that is looked for. */
  readonly #words: Uint32Array;

  constructor(family: Family) {
    this.#width = WORDS[family];
    this.#words = new Uint32Array(this.#width);
    this.#parts = [new Part(this.#width)];
  }

  add(words: Uint32Array): void {
    const index = this.#partFrom(words);
    const part = this.#parts[index] as Part;
    const at = part.firstFrom(words);
    if (part.isAt(at, words)) return;
    part.insert(at, words);
    if (part.size === MOST) this.#parts.splice(index + 1, 0, part.split());
  }

  delete(words: Uint32Array): void {
    const index = this.#partFrom(words);
    const part = this.#parts[index] as Part;
    const at = part.firstFrom(words);
    if (!part.isAt(at, words)) return;
    part.remove(at);
    if (part.size === 0 && this.#parts.length > 1) this.#parts.splice(index, 1);
  }

  has(words: Uint32Array): boolean {
    const part = this.#parts[this.#partFrom(words)] as Part;
    return part.isAt(part.firstFrom(words), words);
  }

  hasInside(table: PrefixTable, id: number): boolean {
    const words = this.#words;
    for (let word = 0; word < words.length; word++) words[word] = table.wordOf(id, word);
    const part = this.#parts[this.#partFrom(words)] as Part;
    const at = part.firstFrom(words);
    if (at === part.size) return false;
    part.copy(at, words);
    return beginsWith(table, id, words, table.lengthOf(id));
  }

  /** Index of the part that the first address is in that is not before this one; otherwise of the last. */
  #partFrom(words: Uint32Array): number {
    const parts = this.#parts;
    let low = 0;
    let high = parts.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const part = parts[middle] as Part;
      if (part.isBefore(part.size - 1, words)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Some addresses in order, one after the other. */
class Part {
  readonly #width: number;
  readonly #words: Uint32Array;
  size = 0;

  constructor(width: number) {
    this.#width = width;
    this.#words = new Uint32Array(MOST * width);
  }

  insert(at: number, words: Uint32Array): void {
    const width = this.#width;
    const from = at * width;
    this.#words.copyWithin(from + width, from, this.size * width);
    this.#words.set(words, from);
    this.size += 1;
  }

  remove(at: number): void {
    const width = this.#width;
    const from = at * width;
    this.#words.copyWithin(from, from + width, this.size * width);
    this.size -= 1;
  }

  /** Gives the second half away. */
  split(): Part {
    const half = this.size >>> 1;
    const second = new Part(this.#width);
    second.#words.set(this.#words.subarray(half * this.#width, this.size * this.#width));
    second.size = this.size - half;
    this.size = half;
    return second;
  }

  copy(at: number, into: Uint32Array): void {
    const from = at * this.#width;
    for (let word = 0; word < this.#width; word++) into[word] = this.#words[from + word] as number;
  }

  isAt(at: number, words: Uint32Array): boolean {
    if (at >= this.size) return false;
    const from = at * this.#width;
    return words.every((word, index) => word === this.#words[from + index]);
  }

  isBefore(at: number, words: Uint32Array): boolean {
    const from = at * this.#width;
    for (let word = 0; word < this.#width; word++) {
      const own = this.#words[from + word] as number;
      const other = words[word] as number;
      if (own !== other) return own < other;
    }
    return false;
  }

  /** Index of the first that is not before the address. */
  firstFrom(words: Uint32Array): number {
    // Nearly always: nodes and pods have addresses of different networks.
    if (this.size === 0 || !this.isBefore(0, words)) return 0;
    let low = 1;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.isBefore(middle, words)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
