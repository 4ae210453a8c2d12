// Whether blocks, handles and affinities tell the same story. Reads only; repairs nothing.
import { formatPrefix } from '@calico/ip';
import { attributeOf } from './block_algebra.ts';
import { IpamError } from './ipam_error.ts';
import { nodeOfAffinity } from './records/affinity.ts';
import { type Block, parseBlock } from './records/block.ts';
import { parseHandle } from './records/handle.ts';
import { affinityKey, blockKey, cidrOfKey, handleKey } from './records/keys.ts';

const BLOCKS = '/calico/ipam/v2/assignment/';
const HANDLES = '/calico/ipam/v2/handle/';
const HOSTS = '/calico/ipam/v2/host/';

/** One sentence per contradiction, in the order of the keys. `records`: value by etcd key. */
export function inconsistencies(records: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  const counts = new Map<string, Map<string, number>>();
  for (const [key, value] of records) {
    if (!key.startsWith(BLOCKS)) continue;
    const block = readable(problems, () => parseBlock(key, value));
    if (block === undefined) continue;
    count(block, counts);
    const node = nodeOfAffinity(block.affinity);
    if (node !== undefined && !records.has(affinityKey(node, block.cidr))) {
      problems.push(`Block ${formatPrefix(block.cidr)} is of node "${node}": no affinity record`);
    }
  }
  checkHandles(records, counts, problems);
  checkAffinities(records, problems);
  return problems;
}

function count(block: Block, counts: Map<string, Map<string, number>>): void {
  const cidr = formatPrefix(block.cidr);
  for (const ordinal of block.allocations.keys()) {
    const handleId = attributeOf(block, ordinal)?.handleId;
    if (handleId === undefined) continue;
    const ofHandle = counts.get(handleId) ?? new Map<string, number>();
    ofHandle.set(cidr, (ofHandle.get(cidr) ?? 0) + 1);
    counts.set(handleId, ofHandle);
  }
}

function checkHandles(
  records: ReadonlyMap<string, string>,
  counts: ReadonlyMap<string, ReadonlyMap<string, number>>,
  problems: string[],
): void {
  for (const [key, value] of records) {
    if (!key.startsWith(HANDLES)) continue;
    const handleId = key.slice(HANDLES.length);
    const handle = readable(problems, () => parseHandle(key, handleId, value));
    if (handle === undefined) continue;
    const held = counts.get(handleId) ?? new Map<string, number>();
    if (handle.blocks.size === 0) problems.push(`Handle "${handleId}" holds nothing`);
    for (const cidr of new Set([...handle.blocks.keys(), ...held.keys()])) {
      const [said, found] = [handle.blocks.get(cidr) ?? 0, held.get(cidr) ?? 0];
      if (said !== found) {
        problems.push(`Handle "${handleId}" counts ${said} in block ${cidr}: it holds ${found}`);
      }
    }
  }
  for (const handleId of counts.keys()) {
    if (!records.has(handleKey(handleId))) {
      problems.push(`Handle "${handleId}" holds addresses: it has no record`);
    }
  }
}

function checkAffinities(records: ReadonlyMap<string, string>, problems: string[]): void {
  for (const key of records.keys()) {
    if (!key.startsWith(HOSTS) || !key.includes('/block/')) continue;
    const node = key.slice(HOSTS.length, key.indexOf('/', HOSTS.length));
    const cidr = cidrOfKey(key);
    const value = cidr === undefined ? undefined : records.get(blockKey(cidr));
    if (cidr === undefined || value === undefined) {
      problems.push(`Affinity "${key}" is of no block`);
      continue;
    }
    const block = readable([], () => parseBlock(key, value));
    if (block !== undefined && block.affinity !== `host:${node}`) {
      problems.push(`Affinity "${key}" contradicts its block: ${block.affinity ?? 'of nobody'}`);
    }
  }
}

function readable<T>(problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof IpamError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}
