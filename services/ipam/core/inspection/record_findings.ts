// Contradictions between the records themselves: handles, blocks and affinities.
import { formatPrefix } from '@calico/ip';
import { hostAffinity, nodeOfAffinity } from '../records/affinity.ts';
import { poolOf } from '../records/ip_pool.ts';
import type { Allocation } from './allocations.ts';
import { type Finding, finding } from './finding.ts';
import type { FoundHandle, Inventory } from './inventory.ts';

type Counts = ReadonlyMap<string, number>;
const NONE: Counts = new Map();

export function* handleFindings(
  inventory: Inventory,
  allocations: readonly Allocation[],
): Generator<Finding> {
  const held = countByHandle(allocations);
  const unknown = new Set(
    inventory.blocks
      .filter(({ block }) => block === undefined)
      .map(({ cidr }) => formatPrefix(cidr)),
  );
  for (const [handleId, handle] of inventory.handles) {
    yield* countFindings(handleId, handle, held.get(handleId) ?? NONE, unknown);
  }
  for (const [handleId, counts] of held) {
    if (handleId === '' || inventory.handles.has(handleId)) continue;
    const message = `Handle "${handleId}" holds ${sum(counts)} address(es) and has no record`;
    yield finding('missing-handle', handleId, message);
  }
}

/** Nothing is said of blocks that cannot be read. */
function* countFindings(
  handleId: string,
  { blocks, revision }: FoundHandle,
  held: Counts,
  unknown: ReadonlySet<string>,
): Generator<Finding> {
  const isSure = [...blocks.keys()].every((cidr) => !unknown.has(cidr));
  if (held.size === 0 && isSure) {
    const said = [...blocks.keys()].join(', ') || 'no block';
    const message = `Handle "${handleId}" names ${said}: it holds no address there`;
    yield finding('leaked-handle', handleId, message, revision);
    return;
  }
  for (const cidr of new Set([...blocks.keys(), ...held.keys()])) {
    if (unknown.has(cidr)) continue;
    const [said, found] = [blocks.get(cidr) ?? 0, held.get(cidr) ?? 0];
    if (said === found) continue;
    const message = `Handle "${handleId}" counts ${said} in block ${cidr}: it holds ${found}`;
    yield finding('wrong-count', handleId, message, revision);
  }
}

export function* blockFindings({ blocks, pools, affinities }: Inventory): Generator<Finding> {
  const recorded = new Set(affinities.map(({ owner, cidr }) => ownerAndCidr(owner, cidr)));
  for (const { cidr, block, faults, revision } of blocks) {
    const text = formatPrefix(cidr);
    if (faults.length > 0) {
      yield finding('invalid-block', text, `Block ${text}: ${faults.join('; ')}`, revision);
    }
    if (poolOf(pools, cidr) === undefined) {
      yield finding('block-outside-pools', text, `Block ${text} is in no IP pool`, revision);
    }
    const node = nodeOfAffinity(block?.affinity);
    if (node === undefined || recorded.has(ownerAndCidr({ type: 'host', name: node }, cidr))) {
      continue;
    }
    const message = `Block ${text} belongs to node "${node}", which has no record of it`;
    yield finding('missing-affinity', text, message, revision);
  }
}

export function* affinityFindings(inventory: Inventory): Generator<Finding> {
  const byCidr = new Map(inventory.blocks.map((found) => [formatPrefix(found.cidr), found]));
  for (const { key, owner, cidr, state, revision } of inventory.affinities) {
    const found = byCidr.get(formatPrefix(cidr));
    const of = `Affinity (${state}) of ${owner.type} "${owner.name}" to ${formatPrefix(cidr)}`;
    if (found === undefined) {
      yield finding('wrong-affinity', key, `${of}: there is no such block`, revision);
    } else if (
      found.block !== undefined &&
      found.block.affinity !== `${owner.type}:${owner.name}`
    ) {
      const holder = found.block.affinity ?? 'nobody';
      yield finding('wrong-affinity', key, `${of}: the block belongs to ${holder}`, revision);
    }
  }
  yield* nodeFindings(inventory);
}

function* nodeFindings({ blocks, affinities, nodes }: Inventory): Generator<Finding> {
  const named = new Set([
    ...blocks.flatMap(({ block }) => nodeOfAffinity(block?.affinity) ?? []),
    ...affinities.flatMap(({ owner }) => (owner.type === 'host' ? owner.name : [])),
  ]);
  for (const node of [...named].toSorted()) {
    if (nodes.has(node)) continue;
    const own = blocks.filter(({ block }) => block?.affinity === hostAffinity(node)).length;
    const message = `Node "${node}" does not exist and holds ${own} block(s)`;
    yield finding('node-gone', node, message);
  }
}

/** Handle to block to number of held addresses. */
export function countByHandle(
  allocations: readonly Allocation[],
): Map<string, Map<string, number>> {
  const counts = new Map<string, Map<string, number>>();
  for (const { handleId, block, isCoolingDown } of allocations) {
    if (isCoolingDown) continue;
    const ofHandle = counts.get(handleId) ?? new Map<string, number>();
    ofHandle.set(block, (ofHandle.get(block) ?? 0) + 1);
    counts.set(handleId, ofHandle);
  }
  return counts;
}

function ownerAndCidr(
  owner: { readonly type: string; readonly name: string },
  cidr: Parameters<typeof formatPrefix>[0],
): string {
  return `${owner.type} ${owner.name} ${formatPrefix(cidr)}`;
}

function sum(counts: Counts): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
