// What this node announces: its confirmed blocks, and addresses borrowed from other nodes' blocks.
import {
  addressAt,
  comparePrefixes,
  formatPrefix,
  hostPrefix,
  type Prefix,
  parsePrefix,
} from '@calico/ip';
import type { BlockAffinity, IPAMBlock, IPPool } from '@calico/model';
import type { PoolPolicy } from '../policy/types.ts';
import type { OwnRoute } from '../speaker/config.ts';
import type { ClusterResources } from './resources.ts';

export function deriveOwnRoutes(node: string, resources: ClusterResources): OwnRoute[] {
  const routes = new Map<string, OwnRoute>();
  for (const block of resources.ipamBlocks) {
    for (const prefix of borrowedFrom(block, node)) {
      routes.set(formatPrefix(prefix), { prefix, kind: 'borrowed' });
    }
  }
  for (const affinity of resources.blockAffinities) {
    if (!isConfirmed(affinity, node)) continue;
    const prefix = parsePrefix(affinity.spec.cidr);
    routes.set(formatPrefix(prefix), { prefix, kind: 'block' });
  }
  return [...routes.values()].toSorted((a, b) => comparePrefixes(a.prefix, b.prefix));
}

function isConfirmed({ spec }: BlockAffinity, node: string): boolean {
  const isDeleted = spec.deleted === true || spec.deleted === 'true';
  return spec.node === node && spec.type === 'host' && spec.state === 'confirmed' && !isDeleted;
}

function borrowedFrom({ spec }: IPAMBlock, node: string): Prefix[] {
  if (spec.affinity === `host:${node}` || spec.deleted === true) return [];
  const mine = new Set<number>();
  for (const [index, { secondary, releasedAt }] of spec.attributes.entries()) {
    if (secondary?.['node'] === node && releasedAt === undefined) mine.add(index);
  }
  if (mine.size === 0) return [];
  const block = parsePrefix(spec.cidr);
  return spec.allocations.flatMap((attribute, ordinal) =>
    attribute !== null && mine.has(attribute) ? [hostPrefix(addressAt(block, ordinal))] : [],
  );
}

/** Widest first, so that the last that contains a prefix is the closest. */
export function derivePools(pools: readonly IPPool[]): (PoolPolicy & { readonly pool: IPPool })[] {
  return pools
    .map((pool) => ({
      prefix: parsePrefix(pool.spec.cidr),
      isEnabled: !pool.spec.disabled,
      isExported: !pool.spec.disableBGPExport,
      pool,
    }))
    .toSorted((a, b) => a.prefix.length - b.prefix.length || comparePrefixes(a.prefix, b.prefix));
}
