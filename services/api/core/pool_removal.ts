// What a pool's deletion meets: blocks that are in use stand in its way, empty ones go with it.
import { formatAddress, parsePrefix, prefixContains } from '@calico/ip';
import { affinityPath, blockPath, type IPAMBlock, type IPPool } from '@calico/model';

export type PoolRemoval = {
  /** Addresses of workloads in the pool. */
  readonly inUse: number;
  /** A few of the blocks that hold them. */
  readonly busyBlocks: readonly string[];
  /** etcd paths of blocks without any address, with their affinities. */
  readonly emptyBlocks: readonly {
    readonly block: string;
    readonly affinity: string | undefined;
  }[];
};

const TUNNEL = /tunnel/i;

/** The clocks of nodes and of these services differ by less. */
const CLOCK_SKEW_MS = 30_000;

/** `now` in milliseconds since the epoch. */
export function planPoolRemoval(
  pool: IPPool,
  blocks: readonly IPAMBlock[],
  now: number,
): PoolRemoval {
  const cidr = parsePrefix(pool.spec.cidr);
  const inside = blocks.filter(({ spec }) => prefixContains(cidr, parsePrefix(spec.cidr)));
  const counted = inside.map((block) => ({ block, workloads: workloadAddresses(block, now) }));
  return {
    inUse: counted.reduce((sum, { workloads }) => sum + workloads, 0),
    busyBlocks: counted
      .filter(({ workloads }) => workloads > 0)
      .slice(0, 3)
      .map(({ block }) => block.spec.cidr),
    emptyBlocks: inside
      .filter(({ spec }) => spec.allocations.every((index) => !isHeld(spec, index, now)))
      .map(({ spec }) => ({
        block: blockPath(parsePrefix(spec.cidr)),
        affinity: affinityOf(spec),
      })),
  };
}

/**
 * What the etcd paths of all blocks of the pool start with, and as few others as can be. IPv6 paths
 * of neighbours have little in common, so there it is every IPv6 block.
 */
export function blockPathsStart(pool: IPPool): string {
  const cidr = parsePrefix(pool.spec.cidr);
  const folder = blockPath(cidr).replace(/[^/]*$/, '');
  if (cidr.family === 6) return folder;
  const octets = formatAddress({ family: 4, value: cidr.value }).split('.');
  const whole = Math.min(Math.floor(cidr.length / 8), 3);
  return (
    folder +
    octets
      .slice(0, whole)
      .map((octet) => `${octet}.`)
      .join('')
  );
}

/** A node's own tunnel address goes when the pool does; only workloads stand in the way. */
function workloadAddresses({ spec }: IPAMBlock, now: number): number {
  return spec.allocations.filter((index) => {
    if (index === null || !isHeld(spec, index, now)) return false;
    const type = spec.attributes[index]?.secondary?.['type'];
    return type === undefined || !TUNNEL.test(type);
  }).length;
}

/** An address that cools down after its release is nobody's, unless a node may still give it out. */
function isHeld({ attributes }: IPAMBlock['spec'], index: number | null, now: number): boolean {
  if (index === null) return false;
  const attribute = attributes[index];
  const leasedUntil = attribute?.secondary?.['leasedUntil'];
  return (
    attribute?.releasedAt === undefined ||
    (leasedUntil !== undefined && Date.parse(leasedUntil) + CLOCK_SKEW_MS > now)
  );
}

function affinityOf(spec: IPAMBlock['spec']): string | undefined {
  const [type, name] = spec.affinity?.split(':') ?? [];
  if ((type !== 'host' && type !== 'virtual') || name === undefined) return undefined;
  return affinityPath({ type, name }, parsePrefix(spec.cidr));
}
