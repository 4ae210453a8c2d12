// IPReservation resources: addresses that are never given out automatically.
import {
  aggregate,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixSize,
} from '@calico/ip';
import { nothingReserved, type Reserved } from '../block_algebra.ts';
import { parseJson } from './lossless_json.ts';

/** Minimal set of prefixes that the reservations cover. What cannot be read reserves nothing. */
export function reservedPrefixes(texts: readonly string[]): Prefix[] {
  return aggregate(texts.flatMap(prefixesOf));
}

/** The reservations that concern one block, as a predicate. */
export function reservedIn(cidr: Prefix, reserved: readonly Prefix[]): Reserved {
  const relevant = reserved.filter((prefix) => prefixesOverlap(prefix, cidr));
  if (relevant.length === 0) return nothingReserved;
  return (address) => relevant.some((prefix) => prefixContains(prefix, address));
}

/** Whether no address of the block is left. */
export function isWhollyReserved(cidr: Prefix, reserved: readonly Prefix[]): boolean {
  return reserved.some((prefix) => prefixContains(prefix, cidr));
}

/** How many addresses of the prefix are reserved. */
export function countReserved(cidr: Prefix, reserved: readonly Prefix[]): bigint {
  let count = 0n;
  for (const prefix of reserved) {
    if (prefixContains(prefix, cidr)) return prefixSize(cidr);
    if (prefixContains(cidr, prefix)) count += prefixSize(prefix);
  }
  return count;
}

function prefixesOf(text: string): Prefix[] {
  try {
    const { spec } = parseJson(text) as { spec?: { reservedCIDRs?: unknown } };
    const cidrs = spec?.reservedCIDRs;
    return Array.isArray(cidrs)
      ? cidrs.map((cidr) => parsePrefix(String(cidr), { hostBits: 'clear' }))
      : [];
  } catch {
    return [];
  }
}
