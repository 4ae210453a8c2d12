// The use of pools, kept up to date by single changes of records.
import { addressAt, formatPrefix, type Prefix, prefixSize } from '@calico/ip';
import { RESOURCE_ROOT } from '@calico/model';
import { attributeOf, isHeld } from './block_algebra.ts';
import { thawed } from './cooldown.ts';
import { nodeOfAffinity } from './records/affinity.ts';
import { type Block, parseBlock } from './records/block.ts';
import { type IpPool, parsePool, poolOf } from './records/ip_pool.ts';
import { readConfig } from './records/ipam_config.ts';
import { CONFIG_RESOURCE_KEY, POOLS_PREFIX, RESERVATIONS_PREFIX } from './records/keys.ts';
import { countReserved, reservedIn, reservedPrefixes } from './records/reservation.ts';

/** What to apply() all records and changes of: blocks; pools, reservations and the configuration. */
export const INDEXED_PREFIXES: readonly string[] = [
  '/calico/ipam/v2/assignment/',
  `${RESOURCE_ROOT}ip`,
];

export type PoolSummary = {
  readonly name: string;
  readonly cidr: string;
  readonly capacity: bigint;
  /** Also addresses that cool down. */
  readonly inUse: number;
  readonly reserved: bigint;
  readonly free: bigint;
  readonly blocks: number;
  /** Used by nodes that the block is not of. */
  readonly borrowed: number;
};

/** A block in short, so that many take little memory. */
type Counted = {
  readonly cidr: Prefix;
  readonly used: readonly number[];
  readonly borrowed: number;
  /** Kept while addresses cool down: what is in use then depends on the time. */
  readonly block: Block | undefined;
};

export class UtilizationIndex {
  readonly #blocks = new Map<string, Counted>();
  readonly #pools = new Map<string, IpPool>();
  readonly #reservations = new Map<string, string>();
  #cooldownMs = 0;

  /** `value` undefined: the record is gone. What cannot be read is as if it were not there. */
  apply(key: string, value: string | undefined): void {
    if (key === CONFIG_RESOURCE_KEY) this.#cooldownMs = readConfig(value, undefined).cooldownMs;
    else if (key.startsWith(POOLS_PREFIX)) put(this.#pools, key, value, parsePool);
    else if (key.startsWith(RESERVATIONS_PREFIX)) {
      put(this.#reservations, key, value, (_, text) => text);
    } else if (key.startsWith('/calico/ipam/')) put(this.#blocks, key, value, readCounted);
  }

  clear(): void {
    this.#blocks.clear();
    this.#pools.clear();
    this.#reservations.clear();
    this.#cooldownMs = 0;
  }

  /** By name. `now` in milliseconds since the epoch. */
  summaries(now: number): PoolSummary[] {
    const pools = [...this.#pools.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const reserved = reservedPrefixes([...this.#reservations.values()]);
    const byPool = Map.groupBy(this.#blocks.values(), ({ cidr }) => poolOf(pools, cidr));
    return pools.map((pool) => this.#summary(pool, byPool.get(pool) ?? [], reserved, now));
  }

  #summary(
    pool: IpPool,
    blocks: readonly Counted[],
    reservations: readonly Prefix[],
    now: number,
  ): PoolSummary {
    let inUse = 0;
    let both = 0;
    let borrowed = 0;
    for (const counted of blocks) {
      const used = this.#used(counted, now);
      const isReserved = reservedIn(counted.cidr, reservations);
      inUse += used.length;
      both += used.filter((ordinal) => isReserved(addressAt(counted.cidr, ordinal))).length;
      borrowed += counted.borrowed;
    }
    const capacity = prefixSize(pool.cidr);
    const reserved = countReserved(pool.cidr, reservations);
    return {
      name: pool.name,
      cidr: formatPrefix(pool.cidr),
      capacity,
      inUse,
      reserved,
      free: capacity - BigInt(inUse) - reserved + BigInt(both),
      blocks: blocks.length,
      borrowed,
    };
  }

  #used({ block, used }: Counted, now: number): readonly number[] {
    return block === undefined ? used : usedOrdinals(thawed(block, now, this.#cooldownMs));
  }
}

function readCounted(key: string, text: string): Counted {
  const block = parseBlock(key, text);
  const used = usedOrdinals(block);
  const owner = nodeOfAffinity(block.affinity);
  const borrowed = used.filter((ordinal) => {
    const attribute = attributeOf(block, ordinal);
    const node = attribute?.secondary['node'];
    return attribute !== undefined && isHeld(attribute) && node !== undefined && node !== owner;
  });
  const isCooling = block.attributes.some((attribute) => !isHeld(attribute));
  return {
    cidr: block.cidr,
    used,
    borrowed: borrowed.length,
    block: isCooling ? block : undefined,
  };
}

function usedOrdinals({ allocations }: Block): number[] {
  return [...allocations.keys()].filter((ordinal) => allocations[ordinal] !== null);
}

function put<T>(
  map: Map<string, T>,
  key: string,
  value: string | undefined,
  read: (key: string, text: string) => T,
): void {
  map.delete(key);
  if (value === undefined) return;
  try {
    map.set(key, read(key, value));
  } catch {
    // Seen by `ipam check`.
  }
}
