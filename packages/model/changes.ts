// Rules that need more than the document itself: what was there before, or the other pools.
import { parsePrefix, prefixesOverlap, samePrefix } from '@calico/ip';
import type { AnyResource, IPPool } from './resources.ts';
import type { Problem } from './validation_error.ts';

/** What of a resource may not change in the way that `after` does. */
export function changeProblems(before: AnyResource, after: AnyResource): Problem[] {
  if (before.kind !== 'IPPool' || after.kind !== 'IPPool') return [];
  const problems: Problem[] = [];
  const { cidr, blockSize } = after.spec;
  if (!samePrefix(parsePrefix(before.spec.cidr), parsePrefix(cidr))) {
    problems.push(immutable('spec.cidr', before.spec.cidr, cidr));
  }
  if (before.spec.blockSize !== blockSize) {
    problems.push(immutable('spec.blockSize', before.spec.blockSize, blockSize));
  }
  if (isForServices(before) !== isForServices(after)) {
    problems.push(immutable('spec.allowedUses', before.spec.allowedUses, after.spec.allowedUses));
  }
  return problems;
}

/** Other pools whose addresses the pool shares: pools may not overlap. */
export function ipPoolProblems(pool: IPPool, others: Iterable<IPPool>): Problem[] {
  const cidr = parsePrefix(pool.spec.cidr);
  const problems: Problem[] = [];
  for (const other of others) {
    if (other.metadata.name === pool.metadata.name) continue;
    if (!prefixesOverlap(cidr, parsePrefix(other.spec.cidr, { hostBits: 'clear' }))) continue;
    problems.push({
      field: 'spec.cidr',
      value: pool.spec.cidr,
      message: `overlaps "${other.spec.cidr}" of IPPool "${other.metadata.name}"`,
    });
  }
  return problems;
}

function isForServices(pool: IPPool): boolean {
  return pool.spec.allowedUses.includes('LoadBalancer');
}

function immutable(field: string, before: unknown, after: unknown): Problem {
  const message = `cannot be changed, expected ${JSON.stringify(before)}; delete and create the pool instead`;
  return { field, value: after, message };
}
