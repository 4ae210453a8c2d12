// EnsureBlock: a node gets a block before it needs the first address.
import { type Family, formatPrefix } from '@calico/ip';
import { countFree } from '../block_algebra.ts';
import { IpamError } from '../ipam_error.ts';
import { Draft, type Known, type Program, plan } from '../program.ts';
import { CONFIRMED, hostAffinity } from '../records/affinity.ts';
import { poolOf } from '../records/ip_pool.ts';
import { affinitiesPrefix, affinityKey, blockKey, cidrOfKey, nodeKey } from '../records/keys.ts';
import { reservedIn } from '../records/reservation.ts';
import { topologyOf } from '../topology.ts';
import { blockLimit, limitReached } from './auto_assign.ts';
import { BlockListing, claimed, existingBlock, type Search } from './block_search.ts';
import {
  CONFIG_KEYS,
  configOf,
  eligiblePools,
  POOL_PREFIXES,
  reservationsOf,
  selectionKeys,
} from './context.ts';
import { findBlock } from './find_block.ts';
import { type StoredBlock, writeBlock } from './stored_block.ts';

export type EnsureRequest = {
  readonly node: string;
  readonly family: Family;
  /** Names or CIDRs; empty: whatever selects the node. */
  readonly pools: readonly string[];
};

export type EnsuredBlock = { readonly block: string; readonly pool: string };

/** The node's first block with a free address, claimed when there is none. @throws IpamError */
export function* ensureBlock(request: EnsureRequest, now: number): Program<EnsuredBlock> {
  const { node, family } = request;
  const prefix = affinitiesPrefix(node, family);
  const known = yield {
    keys: [...CONFIG_KEYS, ...selectionKeys({ node, namespace: '' })],
    prefixes: [...POOL_PREFIXES, prefix],
  };
  const query = { node, namespace: '', use: 'Workload', family, explicit: request.pools } as const;
  const pools = eligiblePools(query, known);
  const reserved = reservationsOf(known);
  const config = configOf(known);
  const search = { now, cooldownMs: config.cooldownMs };
  const own = yield* ownBlocks(known, prefix, node, search);
  const usable = own.filter(({ block }) => poolOf(pools, block.cidr) !== undefined);
  const roomy = usable.find(({ block }) => countFree(block, reservedIn(block.cidr, reserved)) > 0);
  if (roomy !== undefined) {
    const { cidr } = roomy.block;
    return { value: { block: formatPrefix(cidr), pool: poolOf(pools, cidr)?.name ?? '' } };
  }
  const limit = blockLimit(config, 0);
  if (usable.length >= limit) throw new IpamError('exhausted', limitReached(limit));
  const found = yield* findBlock({
    node,
    pools,
    own: own.map(({ block }) => block.cidr),
    reserved,
    ...search,
    topology: topologyOf(known.get(nodeKey(node))?.value, config.topologyLabel),
    topologyLabel: config.topologyLabel,
    listing: new BlockListing(),
  });
  if (found === undefined) {
    const all = pools.map(({ cidr }) => formatPrefix(cidr)).join(' ');
    throw new IpamError('exhausted', `No free block for node "${node}" in pools: [${all}]`);
  }
  const { cidr, pool, existing, previous } = found;
  const draft = new Draft();
  writeBlock(draft, claimed(found, node, now), existing?.entry);
  const key = affinityKey(node, cidr);
  const record = known.list(prefix).find((entry) => entry.key === key);
  draft.put(key, record, CONFIRMED);
  if (previous !== undefined) draft.delete(previous.key, previous);
  draft.expect(pool.entry.key, pool.entry);
  return plan({ block: formatPrefix(cidr), pool: pool.name }, draft);
}

function* ownBlocks(
  known: Known,
  prefix: string,
  node: string,
  search: Pick<Search, 'now' | 'cooldownMs'>,
) {
  const cidrs = known.list(prefix).flatMap((entry) => cidrOfKey(entry.key) ?? []);
  const blocks: Known = yield { keys: cidrs.map(blockKey) };
  return cidrs
    .flatMap((cidr): StoredBlock[] => {
      const entry = blocks.get(blockKey(cidr));
      const stored = entry === undefined ? undefined : existingBlock(entry, search);
      return stored === undefined ? [] : [stored];
    })
    .filter(({ block }) => block.affinity === hostAffinity(node));
}
