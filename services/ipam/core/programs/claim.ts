// Claiming and releasing blocks for a node, one block per transaction.
import { formatPrefix, type Prefix, prefixContains } from '@calico/ip';
import { isInUse, withAffinity } from '../block_algebra.ts';
import { IpamError } from '../ipam_error.ts';
import { Draft, type Program, plan } from '../program.ts';
import { affinityState, CONFIRMED, hostAffinity, nodeOfAffinity } from '../records/affinity.ts';
import { newBlock } from '../records/block.ts';
import { affinitiesPrefix, affinityKey, blockKey, cidrOfKey } from '../records/keys.ts';
import { listBlocks } from './block_search.ts';
import { POOL_PREFIXES, poolNamed, poolsOf, type StoredPool } from './context.ts';
import { readableBlock, storedBlock, writeBlock } from './stored_block.ts';

/** The pool that holds the CIDR. @throws IpamError */
export function* poolForClaim(cidr: Prefix): Program<StoredPool> {
  const pools = poolsOf(yield { prefixes: POOL_PREFIXES });
  const pool = pools.find((candidate) => prefixContains(candidate.cidr, cidr));
  if (pool === undefined) {
    const all = pools.map((one) => `${one.name} ${formatPrefix(one.cidr)}`).join(', ') || 'none';
    throw new IpamError(
      'not-found',
      `Cannot claim cidr "${formatPrefix(cidr)}": it is in no pool; pools: ${all}`,
    );
  }
  if (pool.disabled) {
    throw new IpamError(
      'precondition',
      `Cannot claim cidr "${formatPrefix(cidr)}": pool "${pool.name}" is disabled`,
    );
  }
  if (cidr.length > pool.blockSize) {
    throw new IpamError(
      'invalid-argument',
      `Cannot claim cidr "${formatPrefix(cidr)}": smaller than a block of pool "${pool.name}", expected /${pool.blockSize} or wider`,
    );
  }
  return { value: pool };
}

export type ClaimOutcome = 'claimed' | 'taken';

/** Gives the node the block unless another holds it; a block in use by nobody's affinity is taken over. */
export function* claimBlock(
  cidr: Prefix,
  node: string,
  pool: StoredPool,
  now: number,
): Program<ClaimOutcome> {
  const key = affinityKey(node, cidr);
  const known = yield { keys: [blockKey(cidr), key, pool.entry.key] };
  const stored = storedBlock(cidr, known);
  const affinity = hostAffinity(node);
  const owner = stored?.block.affinity;
  if (owner !== undefined && owner !== affinity) return { value: 'taken' };
  const draft = new Draft();
  if (stored === undefined) {
    writeBlock(draft, newBlock(cidr, affinity, now), undefined);
    draft.expect(pool.entry.key, pool.entry);
  } else if (owner === undefined) {
    writeBlock(draft, withAffinity(stored.block, affinity, now), stored.entry);
  } else {
    draft.expect(stored.entry.key, stored.entry);
  }
  const record = known.get(key);
  if (record === undefined || affinityState(record.value) !== 'confirmed') {
    draft.put(key, record, CONFIRMED);
  }
  return plan('claimed', draft);
}

/** The node's blocks, or those of them inside the CIDR, in order. */
export function* blocksOfNode(node: string, within: Prefix | undefined): Program<Prefix[]> {
  const families = within === undefined ? ([4, 6] as const) : [within.family];
  const prefixes = families.map((family) => affinitiesPrefix(node, family));
  const known = yield { prefixes };
  const all = prefixes.flatMap((prefix) =>
    known.list(prefix).flatMap((entry) => cidrOfKey(entry.key) ?? []),
  );
  return {
    value: within === undefined ? all : all.filter((cidr) => prefixContains(within, cidr)),
  };
}

/** The blocks of the pool that nodes hold. @throws IpamError 'not-found' */
export function* blocksOfPool(wanted: string): Program<{ cidr: Prefix; node: string }[]> {
  const pool = poolNamed(
    wanted,
    poolsOf(yield { prefixes: POOL_PREFIXES }),
    'release the blocks of',
  );
  const entries = yield* listBlocks([pool]);
  const value = [...entries.values()].flatMap((entry) => {
    const block = readableBlock(entry)?.block;
    const node = nodeOfAffinity(block?.affinity);
    return block === undefined || node === undefined || !prefixContains(pool.cidr, block.cidr)
      ? []
      : [{ cidr: block.cidr, node }];
  });
  return { value };
}

export type ReleaseOutcome = 'released' | 'not-held' | 'in-use';

/**
 * Takes the block from the node. An empty block goes away; one in use stays without an affinity,
 * or is left alone when `mustBeEmpty`.
 */
export function* releaseBlock(
  cidr: Prefix,
  node: string,
  mustBeEmpty: boolean,
  now: number,
): Program<ReleaseOutcome> {
  const key = affinityKey(node, cidr);
  const known = yield { keys: [blockKey(cidr), key] };
  const stored = storedBlock(cidr, known);
  const record = known.get(key);
  const draft = new Draft();
  const isMine = stored !== undefined && stored.block.affinity === hostAffinity(node);
  if (isMine) {
    if (mustBeEmpty && isInUse(stored.block)) return { value: 'in-use' };
    writeBlock(draft, withAffinity(stored.block, undefined, now), stored.entry);
  } else {
    // A record without its block is a left-over of a writer that died between two writes.
    draft.expect(blockKey(cidr), stored?.entry);
  }
  if (record !== undefined) draft.delete(key, record);
  return plan(isMine || record !== undefined ? 'released' : 'not-held', draft);
}

/** Those of the blocks that the node holds and that are in use. */
export function* blocksInUse(cidrs: readonly Prefix[], node: string): Program<Prefix[]> {
  const known = yield { keys: cidrs.map(blockKey) };
  const affinity = hostAffinity(node);
  return {
    value: cidrs.filter((cidr) => {
      const stored = storedBlock(cidr, known);
      return stored !== undefined && stored.block.affinity === affinity && isInUse(stored.block);
    }),
  };
}
