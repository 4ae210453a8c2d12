import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IPAMBlock, parseStored } from '@calico/model';
import { planPoolRemoval } from './pool_removal.ts';

const POOL = parseStored(
  'IPPool',
  JSON.stringify({ metadata: { name: 'p' }, spec: { cidr: '10.0.0.0/24', blockSize: 30 } }),
);

const NOW = Date.parse('2026-09-21T14:14:00Z');

/** Released before the end of its lease. */
function leaving(leasedUntil: string): object {
  return { handle_id: 'w', releasedAt: '2026-09-21T14:13:00Z', secondary: { leasedUntil } };
}

function block(cidr: string, attributes: readonly object[]): IPAMBlock {
  const allocations = [0, 1, 2, 3].map((i) => (i < attributes.length ? i : null));
  const spec = { cidr, affinity: 'host:n1', allocations, unallocated: [], attributes };
  return parseStored('IPAMBlock', JSON.stringify({ metadata: { name: 'b' }, spec }));
}

test('workloads stand in the way of a pool’s removal; tunnels and what cools down do not', () => {
  const plan = planPoolRemoval(
    POOL,
    [
      block('10.0.0.0/30', [{ handle_id: 'a', secondary: {} }]),
      block('10.0.0.4/30', [{ handle_id: 't', secondary: { type: 'vxlanTunnelAddress' } }]),
      block('10.0.0.8/30', [{ handle_id: 'c', releasedAt: '2026-09-21T14:13:20Z' }]),
      block('10.0.0.12/30', []),
      block('10.0.0.16/30', [leaving('2026-09-21T14:13:19Z')]),
      block('10.9.0.0/30', [{ handle_id: 'x' }]),
    ],
    NOW,
  );
  assert.deepEqual([plan.inUse, plan.busyBlocks], [1, ['10.0.0.0/30']]);
  assert.deepEqual(
    plan.emptyBlocks.map((one) => one.block.split('/').at(-1)),
    ['10.0.0.8-30', '10.0.0.12-30', '10.0.0.16-30'],
  );
  assert.match(plan.emptyBlocks[0]?.affinity ?? '', /host\/n1\/ipv4\/block\/10\.0\.0\.8-30$/);
});

test('an address that a node may still give out stands in the way until its lease is over', () => {
  const blocks = [block('10.0.0.0/30', [leaving('2026-09-21T14:13:45Z')])];
  const early = planPoolRemoval(POOL, blocks, NOW);
  assert.deepEqual([early.inUse, early.busyBlocks, early.emptyBlocks], [1, ['10.0.0.0/30'], []]);
  const late = planPoolRemoval(POOL, blocks, NOW + 15_000);
  assert.deepEqual([late.inUse, late.emptyBlocks.length], [0, 1]);
});
