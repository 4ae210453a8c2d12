// The elements of one address set, kept up to date as prefixes come and go: every address, or the fewest ranges that
// cover all.
import {
  comparePrefixes,
  type Family,
  type Prefix,
  prefixContains,
  prefixOf,
  prefixSize,
} from '@calico/ip';
import {
  type AddressRange,
  addressesIn,
  addressRangeText,
  joinAddressRanges,
  rangeOf,
  rangesOf,
} from '../compiler/address_ranges.ts';
import { isNet, prefixText } from '../compiler/set_builder.ts';
import { roomFor, takesRanges } from '../compiler/set_form.ts';
import { LiveElements } from './live_elements.ts';

/** From so many changes on, ranges are computed anew. */
const MANY = 500;

type Counted = { readonly prefix: Prefix; count: number };

export class AddressElements {
  readonly #family: Family;
  readonly #onChange: (elements: LiveElements) => void;
  readonly #counts = new Map<string, Counted>();
  #addresses = 0;
  #inNets = 0n;
  #elements: LiveElements;
  /** Undefined: a hash. */
  #ranges: CoveredRanges | undefined;

  constructor(family: Family, onChange: (elements: LiveElements) => void) {
    this.#family = family;
    this.#onChange = onChange;
    this.#elements = new LiveElements(onChange);
  }

  /** Whether elements are ranges. When that changes, `elements` is another object. */
  get hasRanges(): boolean {
    return takesRanges({ addresses: this.#addresses, inNets: this.#inNets });
  }

  /** How many elements a look-up has to expect of them. */
  get room(): number | undefined {
    return roomFor({ addresses: this.#addresses, inNets: this.#inNets });
  }

  get elements(): LiveElements {
    return this.#elements;
  }

  change(removed: readonly Prefix[], added: readonly Prefix[]): void {
    const gone = removed.filter((prefix) => this.#discount(prefix));
    const come = added.filter((prefix) => this.#count(prefix));
    // What went and came again has stayed.
    const wasHere = new Set(gone.map(prefixText));
    const isNew = come.filter((prefix) => !wasHere.has(prefixText(prefix)));
    const isOld = gone.filter((prefix) => !this.#counts.has(prefixText(prefix)));
    if (this.hasRanges !== (this.#ranges !== undefined)) return this.#rebuild();
    if (this.#ranges === undefined) {
      for (const prefix of isNew) this.#addAddresses(prefix);
      for (const prefix of isOld) {
        for (const address of addressesIn(prefix)) this.#elements.release(address);
      }
      return;
    }
    if (isNew.length + isOld.length > MANY) return this.#rebuildRanges();
    for (const prefix of isOld) this.#ranges.remove(prefix);
    for (const prefix of isNew) this.#ranges.add(prefix);
  }

  /** True when it is new. */
  #count(prefix: Prefix): boolean {
    if (prefix.family !== this.#family) return false;
    const text = prefixText(prefix);
    const known = this.#counts.get(text);
    if (known !== undefined) known.count++;
    else {
      this.#counts.set(text, { prefix, count: 1 });
      this.#weigh(prefix, 1);
    }
    return known === undefined;
  }

  /** True when it was the last. */
  #discount(prefix: Prefix): boolean {
    if (prefix.family !== this.#family) return false;
    const text = prefixText(prefix);
    const known = this.#counts.get(text);
    if (known === undefined || --known.count > 0) return false;
    this.#counts.delete(text);
    this.#weigh(prefix, -1);
    return true;
  }

  #weigh(prefix: Prefix, sign: 1 | -1): void {
    if (isNet(prefix)) this.#inNets += BigInt(sign) * prefixSize(prefix);
    else this.#addresses += sign;
  }

  /** Prefixes may overlap: an address stays as long as one of them has it. */
  #addAddresses(prefix: Prefix): void {
    for (const address of addressesIn(prefix)) this.#elements.add(address);
  }

  #rebuild(): void {
    this.#elements = new LiveElements(this.#onChange);
    this.#ranges = undefined;
    if (this.hasRanges) this.#rebuildRanges();
    else for (const { prefix } of this.#counts.values()) this.#addAddresses(prefix);
  }

  #rebuildRanges(): void {
    const prefixes = [...this.#counts.values()].map(({ prefix }) => prefix);
    this.#ranges = new CoveredRanges(this.#family, prefixes, this.#elements);
    this.#elements.replace(this.#ranges.texts());
  }
}

/** The ranges that prefixes cover, which may lie in each other. */
class CoveredRanges {
  readonly #family: Family;
  /** By first address, the wider first; distinct. */
  readonly #prefixes: Prefix[];
  readonly #ranges: AddressRange[];
  readonly #elements: LiveElements;

  constructor(family: Family, prefixes: readonly Prefix[], elements: LiveElements) {
    this.#family = family;
    this.#prefixes = prefixes.toSorted(comparePrefixes);
    this.#ranges = rangesOf(this.#prefixes);
    this.#elements = elements;
  }

  texts(): ReadonlyMap<string, undefined> {
    return new Map(this.#ranges.map((range) => [addressRangeText(this.#family, range), undefined]));
  }

  add(prefix: Prefix): void {
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

  remove(prefix: Prefix): void {
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
    for (const range of before) this.#elements.delete(addressRangeText(this.#family, range));
    for (const range of after) this.#elements.set(addressRangeText(this.#family, range));
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
