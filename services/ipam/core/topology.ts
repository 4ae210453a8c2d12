// Which nodes stand together: those whose Node resources have the same values of topology labels.
import { parseJson } from './records/lossless_json.ts';

/** Set by cloud providers and installers. */
const ZONE = 'topology.kubernetes.io/zone';

/** 64 blocks: with blocks of 64 addresses a super-block is a /20. */
const SUPER_BITS = 6;
/** A pool of fewer super-blocks than this has smaller ones. */
const FEWEST_SUPER_BLOCKS_BITS = 2;

/**
 * What nodes of one place have in common: "rack=r7,topology.kubernetes.io/zone=a". Undefined for a node
 * without such labels. `label`: a label besides the zone; '': none.
 */
export function topologyOf(nodeJson: string | undefined, label: string): string | undefined {
  const labels = labelsIn(nodeJson);
  const values = [...new Set([ZONE, label])]
    .flatMap((name) => (typeof labels[name] === 'string' ? [`${name}=${labels[name]}`] : []))
    .toSorted();
  return values.length === 0 ? undefined : values.join();
}

/** Base-two logarithm of the number of blocks in a super-block; undefined: the pool is too small. */
export function superBitsOf(pool: {
  readonly cidr: { readonly length: number };
  readonly blockSize: number;
}): number | undefined {
  const bits = pool.blockSize - pool.cidr.length - FEWEST_SUPER_BLOCKS_BITS;
  return bits < 1 ? undefined : Math.min(bits, SUPER_BITS);
}

function labelsIn(nodeJson: string | undefined): Readonly<Record<string, unknown>> {
  if (nodeJson === undefined) return {};
  try {
    const { metadata } = parseJson(nodeJson) as {
      metadata?: { labels?: Readonly<Record<string, unknown>> };
    };
    return metadata?.labels ?? {};
  } catch {
    return {};
  }
}
