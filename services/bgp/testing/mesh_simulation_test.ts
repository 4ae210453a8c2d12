import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, ipamBlock, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const WALK_THROUGH: readonly AnyResource[] = [
  bgpConfiguration({ asNumber: 64512 }),
  pool('10.244.0.0/16'),
  node('k8s-master', '192.168.80.100/24'),
  node('k8s-node01', '192.168.80.101/24'),
  node('k8s-node02', '192.168.80.102/24'),
  affinity('k8s-master', '10.244.235.192/26'),
  affinity('k8s-node01', '10.244.85.192/26'),
  affinity('k8s-node02', '10.244.58.192/26'),
];
const NAMES = ['k8s-master', 'k8s-node01', 'k8s-node02'];

function walkThrough(seed: number): SimulatedCluster {
  const cluster = new SimulatedCluster(seed);
  cluster.resources = WALK_THROUGH;
  for (const name of NAMES) cluster.start(name);
  return cluster;
}

test('three nodes have the routes of the walk-through within three seconds', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = walkThrough(seed);
    cluster.advance(3_000);
    assert.deepEqual(cluster.node('k8s-node02').kernel.describe(), [
      '10.244.235.192/26 via 192.168.80.100',
      '10.244.85.192/26 via 192.168.80.101',
      'blackhole 10.244.58.192/26',
    ]);
    assert.ok(cluster.isConverged(), `seed ${seed}`);
  }
});

test('a node that comes late is connected within three seconds', () => {
  const cluster = new SimulatedCluster(5);
  cluster.resources = WALK_THROUGH;
  cluster.start('k8s-master');
  cluster.start('k8s-node01');
  cluster.advance(60_000);
  cluster.start('k8s-node02');
  cluster.advance(3_000);
  assert.ok(cluster.isConverged());
});

test('a killed and restarted speaker flaps no route anywhere', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = walkThrough(seed);
    cluster.advance(10_000);
    for (const { kernel } of cluster.nodes.values()) kernel.log.length = 0;
    for (const name of NAMES) {
      cluster.kill(name);
      cluster.advance(100 + seed * 200);
      cluster.start(name);
      cluster.advance(5_000);
      assert.ok(cluster.isConverged(), `seed ${seed}: ${name} is back`);
    }
    cluster.advance(300_000);
    for (const { kernel, name } of cluster.nodes.values()) {
      assert.deepEqual(kernel.log, [], `seed ${seed}: routes of ${name}`);
    }
    assert.ok(cluster.isConverged());
  }
});

test('the routes of a speaker that does not come back go after its restart time', () => {
  const cluster = walkThrough(1);
  cluster.advance(10_000);
  const { kernel } = cluster.node('k8s-master');
  cluster.kill('k8s-node01');
  cluster.advance(119_000);
  assert.deepEqual(kernel.log.slice(3), []);
  cluster.advance(3_000);
  assert.deepEqual(kernel.log.slice(3), ['Deleted 10.244.85.192/26 via 192.168.80.101']);
});

test('the routes of a node that lost power go after the hold time', () => {
  const cluster = walkThrough(1);
  cluster.advance(10_000);
  cluster.network.silence(cluster.node('k8s-node01').address);
  cluster.advance(91_000);
  assert.deepEqual(cluster.node('k8s-master').kernel.describe(), [
    '10.244.58.192/26 via 192.168.80.102',
    'blackhole 10.244.235.192/26',
  ]);
});

test('blocks and borrowed addresses that come and go are announced and withdrawn', () => {
  const cluster = walkThrough(3);
  cluster.advance(5_000);
  const { kernel } = cluster.node('k8s-master');
  cluster.apply([
    ...WALK_THROUGH,
    affinity('k8s-node01', '10.244.9.0/26'),
    affinity('k8s-node01', '10.244.10.0/26', 'pending'),
    ipamBlock('10.244.58.192/26', 'k8s-node02', { 0: 'k8s-node02', 7: 'k8s-node01' }),
  ]);
  cluster.advance(200);
  assert.deepEqual(kernel.describe(), [
    '10.244.58.192/26 via 192.168.80.102',
    '10.244.58.199/32 via 192.168.80.101',
    '10.244.85.192/26 via 192.168.80.101',
    '10.244.9.0/26 via 192.168.80.101',
    'blackhole 10.244.235.192/26',
  ]);
  cluster.apply(WALK_THROUGH);
  cluster.advance(200);
  assert.deepEqual(kernel.describe(), [
    '10.244.58.192/26 via 192.168.80.102',
    '10.244.85.192/26 via 192.168.80.101',
    'blackhole 10.244.235.192/26',
  ]);
});

test('a node that is removed takes only its own sessions and routes along', () => {
  const cluster = walkThrough(4);
  cluster.advance(5_000);
  const since = cluster.node('k8s-master').speaker.peers.get('192.168.80.102')?.session.since;
  cluster.kill('k8s-node01');
  cluster.nodes.delete('k8s-node01');
  cluster.apply(
    WALK_THROUGH.filter(
      (each) =>
        each.metadata.name !== 'k8s-node01' && !each.metadata.name.startsWith('k8s-node01-'),
    ),
  );
  cluster.advance(1_000);
  const { speaker, kernel } = cluster.node('k8s-master');
  assert.deepEqual([...speaker.peers.keys()], ['192.168.80.102']);
  assert.equal(speaker.peers.get('192.168.80.102')?.session.since, since);
  assert.deepEqual(kernel.describe(), [
    '10.244.58.192/26 via 192.168.80.102',
    'blackhole 10.244.235.192/26',
  ]);
});

test('routes of VXLAN pools are left to Felix, blackholes are not', () => {
  const cluster = walkThrough(6);
  cluster.advance(5_000);
  cluster.apply([
    ...WALK_THROUGH.filter(({ kind }) => kind !== 'IPPool'),
    pool('10.244.0.0/16', { vxlanMode: 'Always' }),
  ]);
  cluster.advance(100);
  assert.deepEqual(cluster.node('k8s-master').kernel.describe(), ['blackhole 10.244.235.192/26']);
});

test('twenty nodes find each other and lose nothing', () => {
  const names = Array.from({ length: 20 }, (_, index) => `node-${index}`);
  const resources = names.flatMap((name, index) => [
    node(name, `192.168.80.${100 + index}/24`),
    affinity(name, `10.244.${index}.0/26`),
    affinity(name, `10.244.${index}.128/26`),
  ]);
  const cluster = new SimulatedCluster(99, 40);
  cluster.resources = [bgpConfiguration({ asNumber: 64512 }), pool('10.244.0.0/16'), ...resources];
  for (const name of names) {
    cluster.start(name);
    cluster.advance(50);
  }
  cluster.advance(3_000);
  assert.ok(cluster.isConverged());
  for (const { kernel } of cluster.nodes.values()) assert.equal(kernel.routes.size, 40);
  for (const { kernel } of cluster.nodes.values()) kernel.log.length = 0;
  for (const name of names.slice(0, 10)) cluster.kill(name);
  cluster.advance(1_000);
  for (const name of names.slice(0, 10)) cluster.start(name);
  cluster.advance(30_000);
  assert.ok(cluster.isConverged());
  for (const { kernel } of cluster.nodes.values()) assert.deepEqual(kernel.log, []);
});
