// Finding a block near those of nodes with the same topology labels, so that all of them merge.
import { formatPrefix, type Prefix, prefixContains } from '@calico/ip';
import { isEmpty } from '../block_algebra.ts';
import {
  GROUP_BITS,
  type Holder,
  type HolderOf,
  PAIR_BITS,
  placeTogether,
} from '../grouped_placement.ts';
import type { Entry, Known, Reading } from '../program.ts';
import { nodeOfAffinity } from '../records/affinity.ts';
import { blockKey, nodeKey } from '../records/keys.ts';
import { isWhollyReserved } from '../records/reservation.ts';
import { superBitsOf, topologyOf } from '../topology.ts';
import { existingBlock, type FoundBlock, type Search, usable } from './block_search.ts';
import type { StoredPool } from './context.ts';

/** Undefined where neither its own blocks nor its labels say which, or there is no room. */
export function* findTogether(pool: StoredPool, search: Search): Reading<FoundBlock | undefined> {
  const superBits = superBitsOf(pool);
  const label = superBits === undefined ? undefined : search.topology;
  const placing = placeTogether({
    pool,
    node: search.node,
    own: search.own.filter(
      (block) => block.length === pool.blockSize && prefixContains(pool.cidr, block),
    ),
    ...(label === undefined || superBits === undefined
      ? { groupBits: GROUP_BITS }
      : { groupBits: PAIR_BITS, topology: { label, superBits } }),
  });
  const entries = new Map<string, Entry | undefined>();
  let step = placing.next();
  while (step.done !== true) {
    const known = yield { keys: step.value.map(blockKey), isHint: true };
    for (const block of step.value) entries.set(blockKey(block), known.get(blockKey(block)));
    step = placing.next(yield* holders(step.value, entries, search));
  }
  const cidr = step.value;
  return cidr === undefined ? undefined : usable(cidr, pool, entries.get(blockKey(cidr)), search);
}

function* holders(
  blocks: readonly Prefix[],
  entries: ReadonlyMap<string, Entry | undefined>,
  search: Search,
): Reading<HolderOf> {
  const owners = new Map<string, string>();
  const found = new Map<string, Holder>();
  for (const cidr of blocks) {
    const text = formatPrefix(cidr);
    const entry = entries.get(blockKey(cidr));
    const block = entry === undefined ? undefined : existingBlock(entry, search)?.block;
    const node = nodeOfAffinity(block?.affinity);
    if (node !== undefined) owners.set(text, node);
    // What nobody can take is in nobody's way.
    else if (isWhollyReserved(cidr, search.reserved)) found.set(text, 'same');
    else if (entry === undefined) found.set(text, 'nobody');
    else if (block === undefined || block.affinity !== undefined) found.set(text, 'other');
    else found.set(text, isEmpty(block) ? 'nobody' : 'same');
  }
  const others = [...new Set(owners.values())].filter((node) => node !== search.node);
  // Without a label of its own a node has nobody to stand with.
  const nodes = search.topology === undefined ? [] : others;
  const known: Known = yield { keys: nodes.map(nodeKey), isHint: true };
  for (const [text, node] of owners) {
    const topology =
      node === search.node || !nodes.includes(node)
        ? search.topology
        : topologyOf(known.get(nodeKey(node))?.value, search.topologyLabel);
    found.set(text, topology === search.topology ? 'same' : 'other');
  }
  return (block) => found.get(formatPrefix(block)) ?? 'other';
}
