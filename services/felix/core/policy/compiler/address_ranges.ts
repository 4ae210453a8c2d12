// Prefixes as the fewest ranges of addresses: intervals of a set must not overlap, and neighbours are one.
import { addressBits, type Family, formatAddress, type Prefix, prefixSize } from '@calico/ip';

/** Both inclusive. */
export type AddressRange = { readonly first: bigint; readonly last: bigint };

export function rangeOf(prefix: Prefix): AddressRange {
  return { first: prefix.value, last: prefix.value + prefixSize(prefix) - 1n };
}

/** Of prefixes of one family. */
export function rangesOf(prefixes: readonly Prefix[]): AddressRange[] {
  return joinAddressRanges(
    prefixes.map(rangeOf).toSorted((a, b) => (a.first < b.first ? -1 : Number(a.first > b.first))),
  );
}

/** Of ranges sorted by their first address. */
export function joinAddressRanges(sorted: readonly AddressRange[]): AddressRange[] {
  const joined: AddressRange[] = [];
  for (const range of sorted) {
    const before = joined.at(-1);
    if (before === undefined || range.first > before.last + 1n) joined.push(range);
    else if (range.last > before.last) {
      joined[joined.length - 1] = { first: before.first, last: range.last };
    }
  }
  return joined;
}

/** As nft lists it: an address, a prefix where the range is one, else "first-last". */
export function addressRangeText(family: Family, { first, last }: AddressRange): string {
  const text = formatAddress({ family, value: first });
  if (first === last) return text;
  const size = last - first + 1n;
  const isPrefix = (size & (size - 1n)) === 0n && (first & (size - 1n)) === 0n;
  if (!isPrefix) return `${text}-${formatAddress({ family, value: last })}`;
  return `${text}/${addressBits(family) - (size.toString(2).length - 1)}`;
}
