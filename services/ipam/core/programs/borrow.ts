// Borrowing: single addresses from blocks of other nodes, when a node can get no block of its own.
import { addressBits, type Prefix, prefixContains, prefixSize } from '@calico/ip';
import { countFree } from '../block_algebra.ts';
import { startIndex } from '../placement.ts';
import type { Reading } from '../program.ts';
import { nodeOfAffinity } from '../records/affinity.ts';
import { reservedIn } from '../records/reservation.ts';
import { existingBlock, type Search } from './block_search.ts';
import type { StoredPool } from './context.ts';
import type { StoredBlock } from './stored_block.ts';

export type Lender = StoredBlock & { readonly pool: StoredPool };

/** A block of the pools with a free address; nodes start their search at different places. */
export function* borrow(
  pools: readonly StoredPool[],
  node: string,
  reserved: readonly Prefix[],
  search: Pick<Search, 'now' | 'cooldownMs' | 'listing'>,
): Reading<Lender | undefined> {
  const entries = [...(yield* search.listing.of(pools)).values()];
  for (const pool of pools) {
    const inPool = entries
      .flatMap((entry) => existingBlock(entry, search) ?? [])
      .filter(({ block }) => prefixContains(pool.cidr, block.cidr))
      .filter(({ block }) => !isVirtual(block.affinity))
      .toSorted((a, b) => (a.block.cidr.value < b.block.cidr.value ? -1 : 1));
    const start = pool.cidr.value + startIndex(node, prefixSize(pool.cidr));
    const behind = inPool.findIndex(({ block }) => lastValue(block.cidr) >= start);
    const first = Math.max(behind, 0);
    const found = [...inPool.slice(first), ...inPool.slice(0, first)].find(
      ({ block }) => countFree(block, reservedIn(block.cidr, reserved)) > 0,
    );
    if (found !== undefined) return { ...found, pool };
  }
  return undefined;
}

function lastValue(cidr: Prefix): bigint {
  return cidr.value + (1n << BigInt(addressBits(cidr.family) - cidr.length)) - 1n;
}

function isVirtual(affinity: string | undefined): boolean {
  return affinity !== undefined && nodeOfAffinity(affinity) === undefined;
}
