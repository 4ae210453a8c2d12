// A node's blocks as few routes: what lies side by side in one pool is announced as one prefix. Exactly:
// nothing is covered that is not the node's own block. Blocks that a filter or an advertisement can tell
// apart stay apart.
import { aggregate, type Prefix, parsePrefix, prefixContains } from '@calico/ip';
import type { ClusterResources } from './resources.ts';

type Rule = { readonly cidr?: string | undefined; readonly prefixLength?: unknown };

/** @param blocks confirmed ones of this node */
export function mergeBlocks(
  blocks: readonly Prefix[],
  resources: Pick<ClusterResources, 'ipPools' | 'bgpFilters' | 'bgpConfigurations'>,
): Prefix[] {
  const pools = resources.ipPools
    .map(({ spec }) => parsePrefix(spec.cidr))
    .toSorted((a, b) => a.length - b.length);
  const isTold = tellingApart(resources);
  const byPool = Map.groupBy(blocks, (block) =>
    pools.findLast((pool) => prefixContains(pool, block)),
  );
  return [...byPool].flatMap(([pool, own]) =>
    pool === undefined
      ? own
      : aggregate(own).flatMap((merged) =>
          isTold(merged) ? own.filter((block) => prefixContains(merged, block)) : [merged],
        ),
  );
}

/** Whether parts of a prefix may be treated otherwise than the whole. */
function tellingApart({
  bgpFilters,
  bgpConfigurations,
}: Pick<ClusterResources, 'bgpFilters' | 'bgpConfigurations'>): (whole: Prefix) => boolean {
  const rules = bgpFilters.flatMap(({ spec }): Rule[] => [
    ...(spec.exportV4 ?? []),
    ...(spec.importV4 ?? []),
    ...(spec.exportV6 ?? []),
    ...(spec.importV6 ?? []),
  ]);
  const advertised = bgpConfigurations.flatMap(({ spec }) => spec.prefixAdvertisements ?? []);
  const marks = [...rules, ...advertised].flatMap(({ cidr }) =>
    cidr === undefined ? [] : [parsePrefix(cidr, { hostBits: 'clear' })],
  );
  const byLength = rules.some(({ prefixLength }) => prefixLength !== undefined);
  return (whole) => byLength || marks.some((mark) => prefixContains(whole, mark));
}
