// What it takes to move all workloads from one pool to another, with blocks of another size for
// instance. An address of a running workload is never moved: the workload is started again.
import { formatPrefix } from '@calico/ip';
import type { Program } from '../program.ts';
import { POOL_PREFIXES, poolNamed, poolsOf, type StoredPool } from './context.ts';
import { utilization } from './utilization.ts';

export type MovingWorkload = {
  readonly node: string;
  /** "<namespace>/<pod>", or the handle. */
  readonly workload: string;
  readonly address: string;
};

export type Migration = {
  readonly from: string;
  readonly to: string;
  readonly isOldDisabled: boolean;
  /** By node, then by name. */
  readonly workloads: readonly MovingWorkload[];
  /** Of nodes; they move by themselves. */
  readonly tunnelAddresses: number;
  /** Of the new pool. */
  readonly free: bigint;
  /** Why it cannot start. */
  readonly obstacles: readonly string[];
};

/** @throws IpamError 'not-found' */
export function* planMigration(fromText: string, toText: string, now: number): Program<Migration> {
  const pools = poolsOf(yield { prefixes: POOL_PREFIXES });
  const from = poolNamed(fromText, pools, 'migrate from');
  const to = poolNamed(toText, pools, 'migrate to');
  const { value } = yield* utilization([from.name, to.name], now);
  const [old, target] = value;
  const held = old?.blocks.flatMap(({ allocations }) => allocations) ?? [];
  const [tunnels, workloads] = [
    held.filter(({ attributes }) => isTunnel(attributes)),
    held.filter(({ attributes }) => !isTunnel(attributes)),
  ];
  const free = target?.free ?? 0n;
  return {
    value: {
      from: from.name,
      to: to.name,
      isOldDisabled: from.disabled,
      workloads: workloads
        .map(({ address, handleId, attributes }) => ({
          node: attributes['node'] ?? '',
          workload: nameOf(attributes) ?? handleId,
          address,
        }))
        .toSorted((a, b) => compare(a.node, b.node) || compare(a.workload, b.workload)),
      tunnelAddresses: tunnels.length,
      free,
      obstacles: obstacles(from, to, held.length, free),
    },
  };
}

function obstacles(from: StoredPool, to: StoredPool, needed: number, free: bigint): string[] {
  const found: string[] = [];
  if (from.name === to.name) found.push('the pools are the same');
  if (from.cidr.family !== to.cidr.family) {
    found.push(
      `${formatPrefix(from.cidr)} is IPv${from.cidr.family}, ${formatPrefix(to.cidr)} is IPv${to.cidr.family}`,
    );
  }
  if (to.disabled) found.push(`pool "${to.name}" is disabled`);
  if (!to.automatic) found.push(`pool "${to.name}" has assignmentMode Manual`);
  const missing = from.allowedUses.filter((use) => !to.allowedUses.includes(use));
  if (missing.length > 0) found.push(`pool "${to.name}" does not allow ${missing.join(', ')}`);
  if (BigInt(needed) > free) {
    found.push(`pool "${to.name}" has ${free} free addresses, expected at least ${needed}`);
  }
  return found;
}

function isTunnel(attributes: Readonly<Record<string, string>>): boolean {
  return (attributes['type'] ?? '').endsWith('TunnelAddress');
}

function nameOf({ namespace, pod }: Readonly<Record<string, string>>): string | undefined {
  return namespace === undefined || pod === undefined ? undefined : `${namespace}/${pod}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
