// What a search for a block starts from and ends with.
import type { Family, Prefix } from '@calico/ip';
import { countFree, isEmpty, withAffinity } from '../block_algebra.ts';
import { thawed } from '../cooldown.ts';
import type { Entry, Reading } from '../program.ts';
import { hostAffinity } from '../records/affinity.ts';
import { type Block, newBlock } from '../records/block.ts';
import { blocksPrefix } from '../records/keys.ts';
import { reservedIn } from '../records/reservation.ts';
import type { StoredPool } from './context.ts';
import { readableBlock, type StoredBlock } from './stored_block.ts';

/** Every block of the pools' families by key, listed at most once by a program. */
export class BlockListing {
  #entries: ReadonlyMap<string, Entry> | undefined;

  *of(pools: readonly StoredPool[]): Reading<ReadonlyMap<string, Entry>> {
    this.#entries ??= yield* listBlocks(pools);
    return this.#entries;
  }
}

/** Every block of the pools' families, by key. */
export function* listBlocks(pools: readonly StoredPool[]): Reading<ReadonlyMap<string, Entry>> {
  const families = new Set<Family>(pools.map(({ cidr }) => cidr.family));
  const prefixes = [...families].map(blocksPrefix);
  const known = yield { prefixes, isHint: true };
  return new Map(
    prefixes.flatMap((prefix) => known.list(prefix).map((entry) => [entry.key, entry] as const)),
  );
}

export type Search = {
  readonly node: string;
  readonly pools: readonly StoredPool[];
  readonly own: readonly Prefix[];
  readonly reserved: readonly Prefix[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Label of nodes, besides the zone, whose equal values keep them together; '': none. */
  readonly topologyLabel: string;
  /** The node's own; undefined: without any. */
  readonly topology: string | undefined;
  readonly cooldownMs: number;
  readonly listing: BlockListing;
};

export type FoundBlock = {
  readonly cidr: Prefix;
  readonly pool: StoredPool;
  /** Undefined: to be created. */
  readonly existing: StoredBlock | undefined;
  /** The affinity record of the node that loses the block. */
  readonly previous: Entry | undefined;
};

/** The block as it can be claimed; undefined when it is another's or has nothing to give. */
export function usable(
  cidr: Prefix,
  pool: StoredPool,
  entry: Entry | undefined,
  search: Search,
): FoundBlock | undefined {
  if (entry === undefined) return { cidr, pool, existing: undefined, previous: undefined };
  const existing = existingBlock(entry, search);
  if (existing === undefined) return undefined;
  const { block } = existing;
  const isMine = block.affinity === hostAffinity(search.node);
  const isNobodys = block.affinity === undefined && isEmpty(block);
  if (!isMine && !isNobodys) return undefined;
  if (countFree(block, reservedIn(cidr, search.reserved)) === 0) return undefined;
  return { cidr, pool, existing, previous: undefined };
}

/** The block as the node's. `now` in milliseconds since the epoch. */
export function claimed({ cidr, existing }: FoundBlock, node: string, now: number): Block {
  const affinity = hostAffinity(node);
  if (existing === undefined) return newBlock(cidr, affinity, now);
  const { block } = existing;
  return block.affinity === affinity ? block : withAffinity(block, affinity, now);
}

/** The block of the entry, with what has cooled down free again; undefined when it cannot be read. */
export function existingBlock(
  entry: Entry,
  { now, cooldownMs }: Pick<Search, 'now' | 'cooldownMs'>,
): StoredBlock | undefined {
  const stored = readableBlock(entry);
  return stored && { ...stored, block: thawed(stored.block, now, cooldownMs) };
}
