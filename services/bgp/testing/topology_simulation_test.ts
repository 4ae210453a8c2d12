import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const AUTO = { topology: 'Auto', meshLimit: 8 };

function resources(count: number, spec: Readonly<Record<string, unknown>> = AUTO): AnyResource[] {
  const all = [pool('10.244.0.0/16'), bgpConfiguration(spec)];
  for (let i = 0; i < count; i++) {
    const zone = { 'topology.kubernetes.io/zone': `z${i % 4}` };
    all.push(node(`n${i}`, `10.0.0.${i + 1}/24`, {}, zone), affinity(`n${i}`, `10.244.${i}.0/26`));
  }
  return all;
}

function clusterOf(count: number, spec = AUTO): SimulatedCluster {
  const cluster = new SimulatedCluster(7);
  cluster.resources = resources(count, spec);
  for (let i = 0; i < count; i++) cluster.start(`n${i}`);
  return cluster;
}

/** Blocks of other nodes that a node has a kernel route to. */
function reached(cluster: SimulatedCluster): number[] {
  return [...cluster.nodes.values()].map(({ bgp }) => bgp.kernelRouteCount - 1);
}

test('topology Auto: every node reaches every block through a few reflectors', () => {
  const cluster = clusterOf(20);
  cluster.advance(30_000);
  assert.ok(cluster.isConverged());
  assert.deepEqual(reached(cluster), Array(20).fill(19));
  const sessions = [...cluster.nodes.values()].map((each) => each.bgp.peers().length);
  assert.deepEqual(Map.groupBy(sessions, (count) => count).get(4)?.length, 16);
  assert.deepEqual(Map.groupBy(sessions, (count) => count).get(19)?.length, 4);
});

test('topology Auto: a reflector that dies takes no route with it', () => {
  const cluster = clusterOf(20);
  cluster.advance(30_000);
  const reflector = [...cluster.nodes.values()].find(({ bgp }) => bgp.peers().length === 19);
  assert.ok(reflector);
  cluster.network.silence(reflector.address);
  cluster.advance(200_000);
  const others = [...cluster.nodes.values()].filter((each) => each !== reflector);
  for (const { bgp } of others) assert.equal(bgp.kernelRouteCount - 1, 18);
});
