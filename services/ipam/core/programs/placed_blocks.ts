// All blocks of nodes, as the planner of placement looks at them.
import { isEmpty } from '../block_algebra.ts';
import type { PlacedBlock } from '../placement_plan.ts';
import type { Program } from '../program.ts';
import { nodeOfAffinity } from '../records/affinity.ts';
import { blocksPrefix, nodeKey } from '../records/keys.ts';
import { topologyOf } from '../topology.ts';
import { existingBlock } from './block_search.ts';
import { CONFIG_KEYS, configOf } from './context.ts';
import { RECLAIM_AGE_MS } from './find_block.ts';

/** A block claimed just now counts as in use. `now` in milliseconds since the epoch. */
export function* placedBlocks(now: number): Program<PlacedBlock[]> {
  const prefixes = ([4, 6] as const).map(blocksPrefix);
  const known = yield { keys: CONFIG_KEYS, prefixes, isHint: true };
  const { topologyLabel, cooldownMs } = configOf(known);
  const owned = prefixes
    .flatMap((prefix) => known.list(prefix))
    .flatMap((entry) => {
      const block = existingBlock(entry, { now, cooldownMs })?.block;
      const node = nodeOfAffinity(block?.affinity);
      return block === undefined || node === undefined ? [] : [{ block, node }];
    });
  const nodes = [...new Set(owned.map(({ node }) => node))];
  const labels = yield { keys: nodes.map(nodeKey), isHint: true };
  const topologies = new Map(
    nodes.map((node) => [node, topologyOf(labels.get(nodeKey(node))?.value, topologyLabel)]),
  );
  return {
    value: owned.map(({ block, node }) => ({
      cidr: block.cidr,
      node,
      isEmpty: isEmpty(block) && now - Date.parse(block.affinityClaimTime ?? '') >= RECLAIM_AGE_MS,
      topology: topologies.get(node),
    })),
  };
}
