// Blocks side by side are one route on every other node; merging and falling apart leaves no gap.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const NODES = ['a', 'b', 'c'];
const BASE = [
  bgpConfiguration({ asNumber: 64512 }),
  pool('10.244.0.0/16'),
  ...NODES.map((name, index) => node(name, `192.168.80.${101 + index}/24`)),
];

function running(resources: readonly AnyResource[]): SimulatedCluster {
  const cluster = new SimulatedCluster(7, 40);
  cluster.resources = [...BASE, ...resources];
  for (const name of NODES) cluster.start(name);
  cluster.advance(10_000);
  assert.ok(cluster.isConverged());
  for (const { kernel } of cluster.nodes.values()) kernel.log.length = 0;
  return cluster;
}

const first = affinity('a', '10.244.0.0/26');
const second = affinity('a', '10.244.0.64/26');

test('a second block beside the first makes one route of both', () => {
  const cluster = running([first]);
  cluster.apply([...BASE, first, second]);
  cluster.advance(1_000);
  const at = (name: string) => cluster.node(name).kernel.describe();
  assert.deepEqual(at('c'), [
    '10.244.0.0/25 via 192.168.80.101',
    '10.244.0.0/26 via 192.168.80.101',
  ]);
  cluster.advance(10_000);
  assert.deepEqual(at('c'), ['10.244.0.0/25 via 192.168.80.101']);
  assert.deepEqual(at('a'), ['blackhole 10.244.0.0/25']);
});

test('a block that goes to another node splits the route; nobody is without a way meanwhile', () => {
  const cluster = running([first, second]);
  cluster.apply([...BASE, first, affinity('b', '10.244.0.64/26')]);
  cluster.advance(1_000);
  const at = (name: string) => cluster.node(name).kernel.describe();
  assert.deepEqual(at('c'), [
    '10.244.0.0/25 via 192.168.80.101',
    '10.244.0.0/26 via 192.168.80.101',
    '10.244.0.64/26 via 192.168.80.102',
  ]);
  cluster.advance(10_000);
  assert.deepEqual(at('c'), [
    '10.244.0.0/26 via 192.168.80.101',
    '10.244.0.64/26 via 192.168.80.102',
  ]);
  assert.deepEqual(at('a'), ['10.244.0.64/26 via 192.168.80.102', 'blackhole 10.244.0.0/26']);
});

test('what was only kept goes also when the node had no address at that time', () => {
  const cluster = running([first]);
  const merged = [...BASE, first, second];
  cluster.apply(merged);
  cluster.advance(1_000);
  cluster.apply(merged.filter((each) => each.kind !== 'Node' || each.metadata.name !== 'a'));
  cluster.advance(10_000);
  cluster.apply(merged);
  cluster.advance(10_000);
  assert.deepEqual(cluster.node('c').kernel.describe(), ['10.244.0.0/25 via 192.168.80.101']);
});
