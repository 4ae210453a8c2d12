// Placement that keeps routes few: nodes start in groups of blocks that nobody else has touched, so
// that a node's next blocks merge with its first into one prefix; nodes with the same topology label
// draw from the same super-block, so that all of them merge behind one next hop.
import { addressBits, type Prefix, prefixSize } from '@calico/ip';
import { startIndex } from './placement.ts';

export type PlacementPool = { readonly cidr: Prefix; readonly blockSize: number };

export type Placement = {
  readonly pool: PlacementPool;
  readonly node: string;
  readonly own: readonly Prefix[];
  /** Base-two logarithm of the number of blocks in the largest group. */
  readonly groupBits: number;
  readonly topology?: Topology;
};

/** Nodes with the same label share super-blocks of 2^superBits blocks. */
export type Topology = { readonly label: string; readonly superBits: number };

/** Who has a block: nobody, a node with the same topology label, or another one. */
export type Holder = 'nobody' | 'same' | 'other';

export type HolderOf = (block: Prefix) => Holder;

/** Asks who holds blocks, and answers the one to take. */
export type Placing = Generator<readonly Prefix[], Prefix | undefined, HolderOf>;

/**
 * Of nodes without topology: eight blocks that nobody else takes while there is room elsewhere. Where
 * nodes share super-blocks, pairs: the super-block is to be full before the next one is begun.
 */
export const GROUP_BITS = 3;
export const PAIR_BITS = 1;

/** So many super-blocks are looked at; in a pool with more, one of them is free. */
const MOST_SUPER_BLOCKS = 32;

/**
 * The block a node takes next: one in a group of its own, else the first of an untouched group, the
 * larger the better, else any free one; in a super-block of its topology label first, then in the whole pool.
 * Undefined when the pool is full. Without topology, the first block of a node stands where upstream
 * starts, unless the group there is in use.
 */
export function placeBlock(placement: Placement, holderOf: HolderOf): Prefix | undefined {
  const { pool, node } = placement;
  const placing = placeTogether(placement);
  let step = placing.next();
  while (step.done !== true) step = placing.next(holderOf);
  if (step.value !== undefined) return step.value;
  return freeIn(placement, pool.cidr, startValue(pool, pool.blockSize, node), holderOf);
}

/** As placeBlock(), but undefined where neither the node's own blocks nor its label say where. */
export function* placeTogether(placement: Placement): Placing {
  const beside = yield* placeBeside(placement);
  if (beside !== undefined || placement.topology === undefined) return beside;
  return yield* placeInSuperBlock(placement, placement.topology);
}

function* placeBeside({ pool, own, groupBits }: Placement): Placing {
  const most = Math.min(groupBits, pool.blockSize - pool.cidr.length);
  if (most < 1 || own.length === 0) return undefined;
  const around = new Map(own.map((block) => groupOf(block, most)).map((one) => [one.value, one]));
  const holderOf = yield [...around.values()].flatMap((one) => blocksOf(one, pool.blockSize));
  const isMine = new Set(own.map(({ value }) => value));
  for (let bits = 1; bits <= most; bits++) {
    for (const block of own) {
      const others = blocksOf(groupOf(block, bits), pool.blockSize).filter(
        ({ value }) => !isMine.has(value),
      );
      const free = others.filter((one) => holderOf(one) === 'nobody');
      // A larger group merges only when all of it is the node's some time.
      if (free.length === others.length || bits === 1) {
        const [first] = free;
        if (first !== undefined) return first;
      }
    }
  }
  return undefined;
}

/** A super-block that only nodes with the label hold blocks of; the first of each tells most of them. */
function* placeInSuperBlock(placement: Placement, topology: Topology): Placing {
  const { pool } = placement;
  const regions = [...superBlocks(pool, topology).take(MOST_SUPER_BLOCKS)];
  const heads = regions.map(({ family, value }) => ({ family, value, length: pool.blockSize }));
  const holderOfHead = yield heads;
  for (const [index, region] of regions.entries()) {
    const head = heads[index];
    if (head !== undefined && holderOfHead(head) === 'other') continue;
    const blocks = blocksOf(region, pool.blockSize);
    const holderOf = yield blocks;
    const holders = blocks.map(holderOf);
    if (holders.includes('other') || !holders.includes('nobody')) continue;
    return freeIn(placement, region, region.value, holderOf);
  }
  return undefined;
}

/** The super-blocks of the pool, from one that depends on the label alone. */
function superBlocks(pool: PlacementPool, { label, superBits }: Topology): Generator<Prefix> {
  const length = Math.max(pool.cidr.length, pool.blockSize - superBits);
  return wrapped(pool.cidr, length, startValue(pool, length, label));
}

function freeIn(
  { pool, groupBits }: Placement,
  part: Prefix,
  start: bigint,
  holderOf: HolderOf,
): Prefix | undefined {
  for (let bits = groupBits; bits > 0; bits--) {
    const length = Math.max(part.length, pool.blockSize - bits);
    for (const group of wrapped(part, length, start)) {
      const blocks = blocksOf(group, pool.blockSize);
      if (blocks.some((block) => holderOf(block) !== 'nobody')) continue;
      return blocks.find(({ value }) => value === start) ?? blocks[0];
    }
  }
  for (const block of wrapped(part, pool.blockSize, start)) {
    if (holderOf(block) === 'nobody') return block;
  }
  return undefined;
}

function startValue({ cidr }: PlacementPool, length: number, name: string): bigint {
  const size = 1n << BigInt(addressBits(cidr.family) - length);
  return cidr.value + startIndex(name, prefixSize(cidr) / size) * size;
}

/** The subnets of the part, from the one around the start to its end, then from its beginning. */
function* wrapped(part: Prefix, length: number, start: bigint): Generator<Prefix, void, undefined> {
  const size = 1n << BigInt(addressBits(part.family) - length);
  const count = prefixSize(part) / size;
  const first = (start - part.value) / size;
  for (let i = 0n; i < count; i++) {
    const value = part.value + ((first + i) % count) * size;
    yield { family: part.family, value, length };
  }
}

/** The 2^bits blocks around the block that merge into one prefix. */
export function groupOf({ family, value, length }: Prefix, bits: number): Prefix {
  const size = 1n << BigInt(addressBits(family) - length + bits);
  return { family, value: (value / size) * size, length: length - bits };
}

export function blocksOf(group: Prefix, blockSize: number): Prefix[] {
  return [...wrapped(group, blockSize, group.value)];
}
