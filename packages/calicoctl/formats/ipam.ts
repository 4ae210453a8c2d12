// `ipam show` in its forms.

import { comparePrefixes, parsePrefix } from '@calico/ip';
import type {
  Allocation,
  BlockUtilization,
  GetAssignmentResponse,
  PoolUtilization,
} from '@calico/proto/ipam/v1/ipam';
import { formatTable } from './ascii_table.ts';
import { formatPercent, formatShort } from './numbers.ts';

const HEADINGS = ['Grouping', 'CIDR', 'IPs total', 'IPs in use', 'IPs reserved', 'IPs free'];

export function formatUtilization(
  pools: readonly PoolUtilization[],
  options: { readonly withBlocks: boolean },
): string {
  const rows = byCidr(pools).flatMap((pool) => [
    utilizationRow('IP Pool', pool),
    ...(options.withBlocks ? byCidr(pool.blocks) : []).map((block) =>
      utilizationRow('Block', block),
    ),
  ]);
  return formatTable(HEADINGS, rows);
}

type Use = Pick<
  PoolUtilization | BlockUtilization,
  'cidr' | 'capacity' | 'inUse' | 'reserved' | 'free'
>;

function utilizationRow(
  grouping: string,
  { cidr, capacity, inUse, reserved, free }: Use,
): string[] {
  const total = Number(capacity);
  const share = (value: string | bigint) =>
    `${formatShort(Number(value))} (${formatPercent(Number(value), total)})`;
  return [grouping, cidr, formatShort(total), share(inUse), share(reserved), share(free)];
}

/** Who holds an address. */
export function formatAssignment(address: string, assignment: GetAssignmentResponse): string {
  if (!assignment.assigned) return `${address} is not assigned\n`;
  const attributes = Object.entries(assignment.attributes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `  ${name}: ${value}`);
  const lines = [
    `IP ${address} is in use`,
    `Handle ID: ${assignment.handleId === '' ? '<none>' : assignment.handleId}`,
    ...(attributes.length === 0
      ? ['No Active Owner attributes defined']
      : ['Active Owner Attributes:', ...attributes]),
  ];
  return `${lines.join('\n')}\n`;
}

const BORROWED = ['IP', 'Borrowing-node', 'Block', 'Block owner', 'Type', 'Allocated-to'];

/** Addresses that a node uses out of another node's block. */
export function formatBorrowed(pools: readonly PoolUtilization[]): string {
  const rows = byCidr(pools.flatMap(({ blocks }) => blocks)).flatMap((block) => {
    const owner = block.affinity.replace(/^host:/, '');
    return block.allocations
      .filter(({ attributes }) => attributes['node'] !== undefined && attributes['node'] !== owner)
      .map((allocation) => borrowedRow(allocation, block, owner));
  });
  return rows.length === 0 ? 'No borrowed IPs found.\n' : formatTable(BORROWED, rows);
}

function borrowedRow(allocation: Allocation, block: BlockUtilization, owner: string): string[] {
  const { attributes, handleId } = allocation;
  const { node = '', namespace, pod, type } = attributes;
  const holder = pod === undefined ? handleId : `${namespace ?? 'default'}/${pod}`;
  const kind = type ?? (pod === undefined ? 'unknown' : 'pod');
  return [allocation.address, node, block.cidr, owner === '' ? '<none>' : owner, kind, holder];
}

/** The fields of an IPAMConfiguration under the names that Go's struct has. */
export function formatIpamConfiguration(spec: Readonly<Record<string, unknown>>): string {
  const rows = Object.entries(spec).map(([name, value]) => [
    name.replace(/^(ip|.)/, (start) => start.toUpperCase()),
    String(value as string | number | boolean),
  ]);
  return formatTable(['Property', 'Value'], rows);
}

function byCidr<T extends { readonly cidr: string }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) =>
    comparePrefixes(
      parsePrefix(a.cidr, { hostBits: 'clear' }),
      parsePrefix(b.cidr, { hostBits: 'clear' }),
    ),
  );
}
