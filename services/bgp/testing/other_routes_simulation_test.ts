// Somebody else's routes to prefixes of ours, as the kernel's monitor tells of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { otherRoute } from './fake_kernel.ts';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const BLOCK = '10.244.1.0/26';

function start() {
  const cluster = new SimulatedCluster(5);
  cluster.resources = [
    bgpConfiguration({ asNumber: 64_512 }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    node('b', '192.168.80.101/24'),
    affinity('b', BLOCK),
  ];
  for (const name of ['a', 'b']) cluster.start(name);
  cluster.advance(5_000);
  const { kernel, bgp } = cluster.node('a');
  return { cluster, kernel, bgp };
}

test('which of several routes with one metric is left is read at once', () => {
  const { cluster, kernel, bgp } = start();
  const ours = [`${BLOCK} via 192.168.80.101`];
  const [one, other] = [otherRoute(BLOCK), { ...otherRoute(BLOCK), interfaceIndex: 7 }];
  assert.deepEqual(kernel.describe(), ours);
  kernel.foreign.add(BLOCK);
  for (const route of [one, other]) {
    bgp.kernelChanged({ kind: 'ways', other: { action: 'new', route } });
  }
  assert.deepEqual(kernel.describe(), []);
  bgp.kernelChanged({ kind: 'ways', other: { action: 'deleted', route: one } });
  cluster.advance(100);
  assert.deepEqual(kernel.describe(), []);
  kernel.foreign.clear();
  bgp.kernelChanged({ kind: 'ways', other: { action: 'deleted', route: other } });
  cluster.advance(100);
  assert.deepEqual(kernel.describe(), ours);
});

test('a route of our protocol may have taken the place of theirs, also while ours is on its way out', () => {
  const { cluster, kernel, bgp } = start();
  const [ours] = kernel.routes.values();
  assert.ok(ours);
  const works: (() => void)[] = [];
  kernel.hold = (work) => void works.push(work);
  bgp.kernelChanged({ kind: 'ways', other: { action: 'new', route: otherRoute(BLOCK) } });
  bgp.kernelChanged({ kind: 'route', action: 'new', route: ours });
  kernel.hold = (work) => work();
  works.shift()?.();
  assert.deepEqual(kernel.describe(), []);
  cluster.advance(100);
  assert.deepEqual(kernel.describe(), [`${BLOCK} via 192.168.80.101`]);
});
