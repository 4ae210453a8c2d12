// How full pools and blocks are.
import { addressAt, formatAddress, formatPrefix, type Prefix, prefixSize } from '@calico/ip';
import { attributeOf, countFree, isHeld } from '../block_algebra.ts';
import { thawed } from '../cooldown.ts';
import type { Program } from '../program.ts';
import type { Block } from '../records/block.ts';
import { poolOf } from '../records/ip_pool.ts';
import { countReserved, reservedIn } from '../records/reservation.ts';
import { listBlocks } from './block_search.ts';
import {
  CONFIG_KEYS,
  configOf,
  POOL_PREFIXES,
  poolNamed,
  poolsOf,
  reservationsOf,
  type StoredPool,
} from './context.ts';
import { readableBlock } from './stored_block.ts';

export type BlockUse = {
  readonly cidr: string;
  readonly capacity: number;
  /** Also those that cool down after their release. */
  readonly inUse: number;
  readonly reserved: number;
  readonly free: number;
  readonly affinity: string;
  readonly allocations: readonly {
    readonly address: string;
    readonly handleId: string;
    readonly attributes: Readonly<Record<string, string>>;
  }[];
};

export type PoolUse = {
  readonly name: string;
  readonly cidr: string;
  readonly capacity: bigint;
  readonly inUse: number;
  readonly reserved: bigint;
  /** Neither in use nor reserved. */
  readonly free: bigint;
  readonly blocks: readonly BlockUse[];
};

/** Use of the named pools, or of all. @throws IpamError 'not-found' */
export function* utilization(wanted: readonly string[], now: number): Program<PoolUse[]> {
  const known = yield { keys: CONFIG_KEYS, prefixes: POOL_PREFIXES };
  const { cooldownMs } = configOf(known);
  const pools = select(poolsOf(known), wanted);
  const reserved = reservationsOf(known);
  const entries = yield* listBlocks(pools);
  const blocks = [...entries.values()]
    .flatMap((entry) => readableBlock(entry)?.block ?? [])
    .map((block) => thawed(block, now, cooldownMs))
    .toSorted((a, b) => (a.cidr.value < b.cidr.value ? -1 : 1));
  const byPool = Map.groupBy(blocks, (block) => poolOf(pools, block.cidr));
  return { value: pools.map((pool) => poolUse(pool, byPool.get(pool) ?? [], reserved)) };
}

function select(pools: readonly StoredPool[], wanted: readonly string[]): readonly StoredPool[] {
  if (wanted.length === 0) return pools;
  return wanted.map((text) => poolNamed(text, pools, 'tell the use of'));
}

function poolUse(
  pool: StoredPool,
  blocks: readonly Block[],
  reservations: readonly Prefix[],
): PoolUse {
  const uses = blocks.map((block) => blockUse(block, reservations));
  const capacity = prefixSize(pool.cidr);
  const inUse = uses.reduce((sum, use) => sum + use.inUse, 0);
  const reserved = countReserved(pool.cidr, reservations);
  const both = blocks.reduce((sum, block) => sum + countReservedInUse(block, reservations), 0);
  return {
    name: pool.name,
    cidr: formatPrefix(pool.cidr),
    capacity,
    inUse,
    reserved,
    free: capacity - BigInt(inUse) - reserved + BigInt(both),
    blocks: uses,
  };
}

function blockUse(block: Block, reservations: readonly Prefix[]): BlockUse {
  const used = usedOrdinals(block);
  const allocations = used.flatMap((ordinal) => {
    const attribute = attributeOf(block, ordinal);
    if (attribute === undefined || !isHeld(attribute)) return [];
    return [
      {
        address: formatAddress(addressAt(block.cidr, ordinal)),
        handleId: attribute.handleId ?? '',
        attributes: attribute.secondary,
      },
    ];
  });
  return {
    cidr: formatPrefix(block.cidr),
    capacity: block.allocations.length,
    inUse: used.length,
    reserved: Number(countReserved(block.cidr, reservations)),
    free: countFree(block, reservedIn(block.cidr, reservations)),
    affinity: block.affinity ?? '',
    allocations,
  };
}

function usedOrdinals(block: Block): number[] {
  return [...block.allocations.keys()].filter((ordinal) => block.allocations[ordinal] !== null);
}

function countReservedInUse(block: Block, reservations: readonly Prefix[]): number {
  const reserved = reservedIn(block.cidr, reservations);
  return usedOrdinals(block).filter((ordinal) => reserved(addressAt(block.cidr, ordinal))).length;
}
