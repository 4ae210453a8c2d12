// Whether blocks, handles and affinities tell the same story: what must hold after any operation.
import type { FindingKind } from './inspection/finding.ts';
import { findingsOf } from './inspection/findings.ts';
import { Inventory } from './inspection/inventory.ts';

/** What depends on more than IPAM's own records. */
const OF_OTHERS: ReadonlySet<FindingKind> = new Set<FindingKind>([
  'leaked-address',
  'outside-pools',
  'not-assigned',
  'block-outside-pools',
  'node-gone',
]);

/** One sentence per contradiction. `records`: value by etcd key. */
export function inconsistencies(records: ReadonlyMap<string, string>): string[] {
  const inventory = new Inventory(Number.POSITIVE_INFINITY);
  for (const [key, value] of records) inventory.add({ key, value, modRevision: 0n });
  return findingsOf(inventory)
    .findings.filter(({ kind }) => !OF_OTHERS.has(kind))
    .map(({ message }) => message);
}
