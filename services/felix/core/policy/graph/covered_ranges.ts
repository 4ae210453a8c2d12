// A part of an address set that is made of ranges: the fewest that cover all prefixes, kept up to date as these come and go.
import { comparePrefixes, type Family, type Prefix, prefixContains, prefixOf } from '@calico/ip';
import {
  type AddressRange,
  addressRangeText,
  joinAddressRanges,
  rangeOf,
  rangesOf,
} from '../compiler/address_ranges.ts';
import { prefixText } from '../compiler/set_builder.ts';
import type { AddressSetPart } from './address_elements.ts';
import type { LiveElements } from './live_elements.ts';

/** From so many changes on, ranges are computed anew. */
const MANY = 500;

/** Prefixes may lie in each other. */
export class CoveredRanges implements AddressSetPart {
  readonly form = 'ranges';
  readonly elements: LiveElements;
  readonly #family: Family;
  /** By first address, the wider first; distinct. */
  #prefixes: Prefix[] = [];
  #ranges: AddressRange[] = [];

  constructor(family: Family, elements: LiveElements) {
    this.#family = family;
    this.elements = elements;
  }

  fill(prefixes: readonly Prefix[]): void {
    this.#cover(prefixes);
  }

  #cover(prefixes: readonly Prefix[]): void {
    this.#prefixes = prefixes.toSorted(comparePrefixes);
    this.#ranges = rangesOf(this.#prefixes);
    this.elements.replace(
      new Map(this.#ranges.map((range) => [addressRangeText(this.#family, range), undefined])),
    );
  }

  change(gone: readonly Prefix[], come: readonly Prefix[]): void {
    if (gone.length + come.length > MANY) {
      const left = new Set(gone.map(prefixText));
      const kept = this.#prefixes.filter((prefix) => !left.has(prefixText(prefix)));
      return this.#cover([...kept, ...come]);
    }
    for (const prefix of gone) this.#remove(prefix);
    for (const prefix of come) this.#add(prefix);
  }

  #add(prefix: Prefix): void {
    this.#prefixes.splice(this.#place(prefix), 0, prefix);
    const own = rangeOf(prefix);
    // All that overlap it or lie beside it become one.
    const start = lowerBound(this.#ranges, ({ last }) => last + 1n < own.first);
    let end = start;
    while ((this.#ranges[end]?.first ?? own.last + 2n) <= own.last + 1n) end++;
    const merged = this.#ranges.slice(start, end);
    const first = merged.reduce(
      (least, range) => (range.first < least ? range.first : least),
      own.first,
    );
    const last = merged.reduce((most, range) => (range.last > most ? range.last : most), own.last);
    this.#replace(start, merged, [{ first, last }]);
  }

  #remove(prefix: Prefix): void {
    const at = this.#place(prefix);
    this.#prefixes.splice(at, 1);
    const own = rangeOf(prefix);
    const start = lowerBound(this.#ranges, ({ last }) => last < own.first);
    const range = this.#ranges[start];
    if (range === undefined || this.#isWithinAnother(prefix)) return;
    const inside: Prefix[] = [];
    for (let next = at; next < this.#prefixes.length; next++) {
      const other = this.#prefixes[next] as Prefix;
      if (!prefixContains(prefix, other)) break;
      inside.push(other);
    }
    const left = range.first < own.first ? [{ first: range.first, last: own.first - 1n }] : [];
    const right = range.last > own.last ? [{ first: own.last + 1n, last: range.last }] : [];
    this.#replace(start, [range], joinAddressRanges([...left, ...rangesOf(inside), ...right]));
  }

  // Prefixes contain each other or are apart: what holds this one comes before it, at its own first address.
  #isWithinAnother(prefix: Prefix): boolean {
    for (let length = prefix.length - 1; length >= 0; length--) {
      const wider = prefixOf(prefix, length);
      const found = this.#prefixes[this.#place(wider)];
      if (found !== undefined && comparePrefixes(found, wider) === 0) return true;
    }
    return false;
  }

  #place(prefix: Prefix): number {
    return lowerBound(this.#prefixes, (other) => comparePrefixes(other, prefix) < 0);
  }

  #replace(at: number, before: readonly AddressRange[], after: readonly AddressRange[]): void {
    this.#ranges.splice(at, before.length, ...after);
    for (const range of before) this.elements.delete(addressRangeText(this.#family, range));
    for (const range of after) this.elements.set(addressRangeText(this.#family, range));
  }
}

/** Index of the first element that is not before what is sought. */
function lowerBound<T>(sorted: readonly T[], isBefore: (element: T) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(sorted[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
