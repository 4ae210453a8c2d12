// In which order a node looks for its next block.
import { addressBits, type Prefix, prefixContains, prefixSize } from '@calico/ip';
import { AdditiveRandom } from './additive_random.ts';

/** How far around its own blocks a node looks first: up to 16 blocks that merge into one prefix. */
const NEIGHBOUR_BITS = 4;

/**
 * Every block of the pool exactly once, but those wholly inside `excluded`: first the neighbours of the node's own blocks, closest
 * first, so that blocks merge into shorter prefixes; then from a start that depends on the node
 * alone, wrapping around.
 */
export function* candidateBlocks(
  pool: { readonly cidr: Prefix; readonly blockSize: number },
  node: string,
  own: readonly Prefix[],
  excluded: readonly Prefix[] = [],
): Generator<Prefix, void, undefined> {
  const { cidr, blockSize } = pool;
  const seen = new Set<bigint>();
  for (const block of neighbours(cidr, blockSize, own)) {
    if (excluded.some((prefix) => prefixContains(prefix, block))) continue;
    seen.add(block.value);
    yield block;
  }
  const step = 1n << BigInt(addressBits(cidr.family) - blockSize);
  const end = cidr.value + prefixSize(cidr);
  const start = cidr.value + startIndex(node, prefixSize(cidr) / step) * step;
  for (const [from, to] of [
    [start, end],
    [cidr.value, start],
  ] as const) {
    for (let value = from; value < to; value += step) {
      const block: Prefix = { family: cidr.family, value, length: blockSize };
      const around = excluded.find((prefix) => prefixContains(prefix, block));
      // An IPv6 pool has up to 2^62 blocks: what is excluded is jumped over, not walked through.
      if (around !== undefined) value = around.value + prefixSize(around) - step;
      else if (!seen.has(value)) yield block;
    }
  }
}

function* neighbours(
  pool: Prefix,
  blockSize: number,
  own: readonly Prefix[],
): Generator<Prefix, void, undefined> {
  const mine = own.filter((block) => block.length === blockSize && prefixContains(pool, block));
  const seen = new Set(mine.map((block) => block.value));
  const bits = addressBits(pool.family);
  const step = 1n << BigInt(bits - blockSize);
  for (let level = 1; level <= NEIGHBOUR_BITS && blockSize - level >= pool.length; level++) {
    const size = step << BigInt(level);
    for (const block of mine) {
      const base = (block.value / size) * size;
      for (let value = base; value < base + size; value += step) {
        if (seen.has(value)) continue;
        seen.add(value);
        yield { family: pool.family, value, length: blockSize };
      }
    }
  }
}

/**
 * The index, below `count`, at which the node starts: the same for the same name, spread over all
 * blocks for different ones. It is upstream's: FNV-1 of the name seeds the generator.
 */
export function startIndex(node: string, count: bigint): bigint {
  return new AdditiveRandom(fnv1(node)).below(count);
}

function fnv1(text: string): bigint {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash, 0x01000193) ^ byte;
  }
  return BigInt(hash >>> 0);
}
