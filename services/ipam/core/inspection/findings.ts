// What a check finds: contradictions between blocks, handles, affinities, pools, nodes and workloads.
// Says what is; repairs nothing.
import { comparePrefixes, parseAddress, prefixContains } from '@calico/ip';
import { poolOf } from '../records/ip_pool.ts';
import { type Allocation, allocationsOf } from './allocations.ts';
import { type Finding, finding } from './finding.ts';
import type { Inventory, Use } from './inventory.ts';
import { affinityFindings, blockFindings, handleFindings } from './record_findings.ts';

export type Findings = {
  readonly allocations: readonly Allocation[];
  readonly findings: readonly Finding[];
};

export function findingsOf(inventory: Inventory): Findings {
  inventory.blocks.sort((a, b) => comparePrefixes(a.cidr, b.cidr));
  const allocations = allocationsOf(inventory);
  const findings = [
    ...leaks(allocations),
    ...usesWithoutAssignment(inventory, allocations),
    ...twoOwners(inventory, allocations),
    ...handleFindings(inventory, allocations),
    ...blockFindings(inventory),
    ...affinityFindings(inventory),
    ...inventory.unreadable.map(({ key, message, revision }) =>
      finding('unreadable', key, message, revision),
    ),
  ];
  return { allocations, findings };
}

export function isLeaked({ isInUse, isCoolingDown }: Allocation): boolean {
  return !isInUse && !isCoolingDown;
}

function* leaks(allocations: readonly Allocation[]): Generator<Finding> {
  for (const allocation of allocations) {
    if (!isLeaked(allocation)) continue;
    const { address, handleId, attributes } = allocation;
    const details = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
    const owner = [handleId === '' ? 'no handle' : `handle "${handleId}"`, ...details].join(', ');
    yield finding('leaked-address', address, `${address} leaked: assigned to ${owner}`);
  }
}

function* usesWithoutAssignment(
  inventory: Inventory,
  allocations: readonly Allocation[],
): Generator<Finding> {
  const held = new Set(
    allocations.filter((one) => !one.isCoolingDown).map(({ address }) => address),
  );
  const active = inventory.pools.filter(({ disabled }) => !disabled);
  const unknown = inventory.blocks.filter(({ block }) => block === undefined);
  for (const [address, uses] of inventory.uses) {
    if (held.has(address)) continue;
    const parsed = parseAddress(address);
    if (unknown.some(({ cidr }) => prefixContains(cidr, parsed))) continue;
    const by = uses.map(({ owner }) => owner).join(', ');
    if (poolOf(active, parsed) === undefined) {
      const message = `${address} in use by ${by} and not in any active IP pool`;
      yield finding('outside-pools', address, message);
    } else {
      const message = `${address} in use by ${by} and in an active IP pool, but not assigned`;
      yield finding('not-assigned', address, message);
    }
  }
}

function* twoOwners(inventory: Inventory, allocations: readonly Allocation[]): Generator<Finding> {
  for (const [address, uses] of inventory.uses) {
    const owners = [...new Set(uses.map(({ owner }) => owner))];
    if (owners.length < 2) continue;
    yield finding('two-owners', address, `${address} is used by ${owners.join(' and ')}`);
  }
  const seen = new Map<string, Allocation>();
  for (const allocation of allocations) {
    const { address, block, handleId } = allocation;
    const other = seen.get(address);
    if (other !== undefined) {
      const message = `${address} is assigned in blocks ${other.block} and ${block}`;
      yield finding('two-owners', address, message);
    }
    seen.set(address, allocation);
    const stranger = allocation.uses.find((use) => isOfOther(use, allocation.attributes));
    if (stranger === undefined || allocation.isCoolingDown) continue;
    const { pod, namespace } = allocation.attributes;
    const message = `${address} is assigned to ${namespace}/${pod} (handle "${handleId}") and used by ${stranger.owner}`;
    yield finding('two-owners', address, message);
  }
}

function isOfOther(use: Use, attributes: Readonly<Record<string, string>>): boolean {
  const { pod, namespace } = attributes;
  if (use.kind !== 'workload' || use.pod === '' || pod === undefined || namespace === undefined) {
    return false;
  }
  return use.pod !== pod || use.namespace !== namespace;
}
