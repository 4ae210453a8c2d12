import { addressBits } from './address.ts';
import { comparePrefixes, type Prefix, prefixContains, prefixOf } from './prefix.ts';

/** The smallest set of prefixes that covers exactly the same addresses, in order. */
export function aggregate(prefixes: Iterable<Prefix>): Prefix[] {
  const result: Prefix[] = [];
  for (const prefix of [...prefixes].toSorted(comparePrefixes)) {
    const last = result.at(-1);
    if (last !== undefined && prefixContains(last, prefix)) continue;
    result.push(prefix);
    joinTail(result);
  }
  return result;
}

/** Replaces the last two by their parent as long as they are its halves. */
function joinTail(result: Prefix[]): void {
  for (;;) {
    const upper = result.at(-1);
    const lower = result.at(-2);
    if (upper === undefined || lower === undefined || !areHalves(lower, upper)) return;
    result.splice(-2, 2, prefixOf(lower, lower.length - 1));
  }
}

function areHalves(lower: Prefix, upper: Prefix): boolean {
  if (lower.family !== upper.family || lower.length !== upper.length) return false;
  if (lower.length === 0) return false;
  const half = 1n << BigInt(addressBits(lower.family) - lower.length);
  return (lower.value & half) === 0n && upper.value === lower.value + half;
}
