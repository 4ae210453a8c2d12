// Which free space could stand elsewhere, so that fewer routes are needed. Proposals only, and never of
// a block with an address in use.
import { addressBits, aggregate, formatPrefix, type Prefix } from '@calico/ip';

export type PlacedBlock = {
  readonly cidr: Prefix;
  readonly node: string;
  readonly isEmpty: boolean;
  /** Of the node's labels; undefined: none. */
  readonly topology: string | undefined;
};

export type Move = {
  /** An empty block that the node should give back. */
  readonly block: string;
  readonly node: string;
  readonly reason: string;
  /** Routes that every other node needs less. */
  readonly routesSaved: number;
};

export type PlacementPlan = {
  /** Routes that a node outside needs for all these: blocks of a node are merged. */
  readonly routesBefore: number;
  readonly routesAfter: number;
  readonly moves: readonly Move[];
};

/** A node keeps at least one block of each family; its next ones are placed beside those it has. */
export function planPlacement(blocks: readonly PlacedBlock[]): PlacementPlan {
  const holders = new Map(blocks.map((block) => [formatPrefix(block.cidr), block] as const));
  const byHolder = Map.groupBy(blocks, ({ node, cidr }) => `${node} ${cidr.family}`);
  const moves: Move[] = [];
  let before = 0;
  let after = 0;
  for (const [, own] of [...byHolder].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    let kept = own;
    before += routesFor(own);
    for (const block of own.filter(({ isEmpty }) => isEmpty)) {
      const others = kept.filter((one) => one !== block);
      if (others.length === 0) break;
      const saved = routesFor(kept) - routesFor(others);
      const reason = reasonFor(block, saved, holders);
      if (reason === undefined) continue;
      moves.push({ block: formatPrefix(block.cidr), node: block.node, reason, routesSaved: saved });
      kept = others;
    }
    after += routesFor(kept);
  }
  return { routesBefore: before, routesAfter: after, moves };
}

function reasonFor(
  block: PlacedBlock,
  saved: number,
  holders: ReadonlyMap<string, PlacedBlock>,
): string | undefined {
  if (saved < 0) return undefined;
  const beside = holders.get(formatPrefix(buddyOf(block.cidr)));
  if (beside !== undefined && beside.node !== block.node) {
    const isStranger = beside.topology !== block.topology;
    const from = isStranger ? `, which stands elsewhere (${beside.topology ?? 'no labels'})` : '';
    return `empty; keeps ${formatPrefix(beside.cidr)} of node "${beside.node}"${from} from merging`;
  }
  return saved > 0 ? 'empty; a route of its own' : undefined;
}

function routesFor(blocks: readonly PlacedBlock[]): number {
  return aggregate(blocks.map(({ cidr }) => cidr)).length;
}

/** The other half of the prefix that is one bit shorter. */
function buddyOf({ family, value, length }: Prefix): Prefix {
  return { family, value: value ^ (1n << BigInt(addressBits(family) - length)), length };
}
