// Finding the next block for a node: a free one, an empty one of nobody, at last an empty one that
// another node has not used for a while.
import { formatPrefix, type Prefix } from '@calico/ip';
import { countFree, isEmpty } from '../block_algebra.ts';
import { blocksOf, GROUP_BITS, groupOf } from '../grouped_placement.ts';
import { candidateBlocks } from '../placement.ts';
import type { Entry, Known, Reading } from '../program.ts';
import { nodeOfAffinity } from '../records/affinity.ts';
import { affinityKey, blockKey } from '../records/keys.ts';
import { reservedIn } from '../records/reservation.ts';
import { existingBlock, type FoundBlock, type Search, usable } from './block_search.ts';
import type { StoredPool } from './context.ts';
import { findTogether } from './find_together.ts';
import type { StoredBlock } from './stored_block.ts';

/** A block claimed less than this ago is left to its node even when empty. */
export const RECLAIM_AGE_MS = 60_000;

/** Candidates are probed key by key in growing batches; a fuller pool is listed instead. */
const FIRST_BATCH = 8;
const PROBE_LIMIT = 64;
/** So many candidates are looked at for one in an open group, when others are free. */
const PREFERENCE_LIMIT = 24;

/** The block to claim; undefined when the pools have none left. */
export function* findBlock(search: Search): Reading<FoundBlock | undefined> {
  for (const pool of search.pools) {
    const found = (yield* findTogether(pool, search)) ?? (yield* probe(pool, search));
    if (found === 'many taken') return yield* searchListing(search);
    if (found !== undefined) return found;
  }
  return yield* reclaim(search, yield* search.listing.of(search.pools));
}

/**
 * Prefers a block in a group that is the node's own or untouched, the larger the better, so that the
 * node's blocks merge and nobody stands in their way; among few candidates, since any free block will do.
 */
function* probe(pool: StoredPool, search: Search): Reading<FoundBlock | 'many taken' | undefined> {
  const candidates = candidatesOf(pool, search);
  const most = Math.min(GROUP_BITS, pool.blockSize - pool.cidr.length);
  const own = new Set(search.own.map(blockKey));
  const entries = new Map<string, Entry | undefined>();
  const isOpen = (cidr: Prefix): boolean =>
    own.has(blockKey(cidr)) || entries.get(blockKey(cidr)) === undefined;
  let probed = 0;
  let best: { readonly found: FoundBlock; readonly bits: number } | undefined;
  for (let size = FIRST_BATCH; ; size *= 2) {
    const batch = take(candidates, size);
    if (batch.length === 0) return best?.found;
    const groups = batch.flatMap((cidr) => blocksOf(groupOf(cidr, most), cidr.length));
    const keys = [...new Set([...batch, ...groups].map(blockKey))];
    const known = yield { keys: keys.filter((key) => !entries.has(key)), isHint: true };
    for (const key of keys) if (!entries.has(key)) entries.set(key, known.get(key));
    for (const cidr of batch) {
      const found = usable(cidr, pool, entries.get(blockKey(cidr)), search);
      if (found === undefined) continue;
      const bits = openBits(cidr, most, isOpen);
      if (bits === most) return found;
      if (best === undefined || bits > best.bits) best = { found, bits };
    }
    probed += batch.length;
    if (probed >= PREFERENCE_LIMIT && best !== undefined) return best.found;
    if (probed >= PROBE_LIMIT) return 'many taken';
  }
}

/** Base-two logarithm of the size of the largest group around the block that is open but for itself. */
function openBits(cidr: Prefix, most: number, isOpen: (block: Prefix) => boolean): number {
  for (let bits = most; bits > 0; bits--) {
    const others = blocksOf(groupOf(cidr, bits), cidr.length).filter(
      ({ value }) => value !== cidr.value,
    );
    if (others.every(isOpen)) return bits;
  }
  return 0;
}

function* searchListing(search: Search): Reading<FoundBlock | undefined> {
  const blocks = yield* search.listing.of(search.pools);
  for (const pool of search.pools) {
    for (const cidr of candidatesOf(pool, search)) {
      const found = usable(cidr, pool, blocks.get(blockKey(cidr)), search);
      if (found !== undefined) return found;
    }
  }
  return yield* reclaim(search, blocks);
}

function* reclaim(
  search: Search,
  blocks: ReadonlyMap<string, Entry>,
): Reading<FoundBlock | undefined> {
  for (const pool of search.pools) {
    for (const cidr of candidatesOf(pool, search)) {
      const entry = blocks.get(blockKey(cidr));
      const existing = entry === undefined ? undefined : existingBlock(entry, search);
      if (existing === undefined || !isReclaimable(existing, search)) continue;
      const owner = nodeOfAffinity(existing.block.affinity);
      if (owner === undefined) continue; // virtual owners keep what they have
      const key = affinityKey(owner, cidr);
      const known: Known = yield { keys: [key], isHint: true };
      return { cidr, pool, existing, previous: known.get(key) };
    }
  }
  return undefined;
}

function isReclaimable({ block }: StoredBlock, search: Search): boolean {
  if (!isEmpty(block) || countFree(block, reservedIn(block.cidr, search.reserved)) === 0) {
    return false;
  }
  const claimedAt = Date.parse(block.affinityClaimTime ?? '');
  return Number.isNaN(claimedAt) || search.now - claimedAt >= RECLAIM_AGE_MS;
}

function candidatesOf(pool: StoredPool, search: Search): Iterator<Prefix> & Iterable<Prefix> {
  const own = new Set(search.own.map(formatPrefix));
  const candidates = candidateBlocks(pool, search.node, search.own, search.reserved);
  return candidates.filter((cidr) => !own.has(formatPrefix(cidr)));
}

function take<T>(from: Iterator<T>, count: number): T[] {
  const taken: T[] = [];
  while (taken.length < count) {
    const next = from.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}
