import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aggregate, formatPrefix, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { type PlacedBlock, planPlacement } from './placement_plan.ts';

function block(cidr: string, node: string, isEmpty = false, topology?: string): PlacedBlock {
  return { cidr: parsePrefix(cidr), node, isEmpty, topology };
}

/** How many nodes have a block of IPv4, and how many of IPv6. */
function nodeCounts(blocks: readonly PlacedBlock[]): number[] {
  return ([4, 6] as const).map((family) => {
    const ofFamily = blocks.filter(({ cidr }) => cidr.family === family);
    return new Set(ofFamily.map(({ node }) => node)).size;
  });
}

/** The last sixteen of 80 are of IPv6. */
function cidrOf(index: number): string {
  return index < 64 ? `10.0.${index}.0/24` : `fd00:${index - 64}::/32`;
}

test('an empty block with a route of its own, or in the way of another node, is proposed', () => {
  const plan = planPlacement([
    block('10.0.0.0/26', 'a', false, 'rack=1'),
    block('10.0.0.64/26', 'b', true, 'rack=2'),
    block('10.0.9.0/26', 'b', false, 'rack=2'),
    block('10.0.5.0/26', 'c', true),
    block('10.0.6.0/26', 'c'),
  ]);
  assert.deepEqual(plan, {
    routesBefore: 5,
    routesAfter: 3,
    moves: [
      {
        block: '10.0.0.64/26',
        node: 'b',
        reason:
          'empty; keeps 10.0.0.0/26 of node "a", which stands elsewhere (rack=1) from merging',
        routesSaved: 1,
      },
      { block: '10.0.5.0/26', node: 'c', reason: 'empty; a route of its own', routesSaved: 1 },
    ],
  });
});

test('blocks that merge, are in use, or are the only one stay', () => {
  const plan = planPlacement([
    block('10.0.0.0/26', 'a'),
    block('10.0.0.64/26', 'a', true),
    block('10.0.1.0/26', 'b', true),
    block('10.0.2.0/26', 'c'),
    block('10.0.3.0/26', 'c'),
    block('fd00::/122', 'a', true),
  ]);
  assert.deepEqual(plan, { routesBefore: 5, routesAfter: 5, moves: [] });
});

test('a plan never touches what is in use, never takes the last block, never costs a route', () => {
  const blocks = fc
    .uniqueArray(fc.nat(79), { maxLength: 30 })
    .chain((indexes) =>
      fc.tuple(...indexes.map((index) => fc.tuple(fc.constant(index), fc.nat(3), fc.boolean()))),
    )
    .map((all) => all.map(([index, node, isEmpty]) => block(cidrOf(index), `n${node}`, isEmpty)));
  fc.assert(
    fc.property(blocks, (all) => {
      const { moves, routesBefore, routesAfter } = planPlacement(all);
      const given = new Set(moves.map((move) => move.block));
      const kept = all.filter(({ cidr }) => !given.has(formatPrefix(cidr)));
      for (const { cidr, isEmpty } of all) assert.ok(isEmpty || !given.has(formatPrefix(cidr)));
      assert.deepEqual(nodeCounts(kept), nodeCounts(all));
      const routes = [...Map.groupBy(kept, ({ node }) => node).values()].reduce(
        (sum, own) => sum + aggregate(own.map(({ cidr }) => cidr)).length,
        0,
      );
      assert.equal(routesAfter, routes);
      assert.ok(routesAfter <= routesBefore);
    }),
  );
});
