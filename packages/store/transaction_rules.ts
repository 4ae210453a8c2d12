import type { Transaction } from './store.ts';

/** etcd's default --max-txn-ops. */
export const MAX_OPERATIONS = 128;

/** Throws RangeError for what etcd would refuse: no or too many operations, or a key changed twice. */
export function checkTransaction({ compare, unchanged = [], operations }: Transaction): void {
  const comparisons = compare.length + unchanged.length;
  if (operations.length > MAX_OPERATIONS || comparisons > MAX_OPERATIONS) {
    const count = Math.max(operations.length, comparisons);
    throw new RangeError(`Cannot commit ${count} operations: at most ${MAX_OPERATIONS} at once`);
  }
  const seen = new Set<string>();
  for (const { key } of operations) {
    if (key === '') throw new RangeError('Cannot commit: a key is empty');
    if (seen.has(key)) throw new RangeError(`Cannot commit: key "${key}" is changed twice`);
    seen.add(key);
  }
}

/** etcd's revisions are signed 64-bit numbers; one more would wrap around. */
export const MAX_REVISION = 2n ** 63n - 1n;

/** Throws RangeError unless a watch may start there. */
export function checkWatchStart(fromRevision: bigint): void {
  if (fromRevision < 1n || fromRevision > MAX_REVISION) {
    throw new RangeError(
      `Cannot watch from revision ${fromRevision}: expected 1 to ${MAX_REVISION}`,
    );
  }
}
