import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@calico/model';
import { reflectorOf } from '../core/speaker/config.ts';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster, type SimulatedNode } from './simulated_cluster.ts';

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

/** Routes that any live node's kernel lost, also for a moment only. */
function lossesDuring(cluster: SimulatedCluster, run: () => void, dead?: SimulatedNode): string[] {
  const live = [...cluster.nodes.values()].filter((each) => each !== dead);
  const kernels = live.map(({ kernel }) => kernel);
  const before = kernels.map(({ log }) => log.length);
  run();
  return kernels.flatMap(({ log }, i) =>
    log.slice(before[i]).filter((line) => line.startsWith('Deleted')),
  );
}

test('topology Auto: a mesh that grows too large becomes reflectors without losing a route', () => {
  const cluster = clusterOf(8);
  cluster.advance(30_000);
  assert.deepEqual(reached(cluster), Array(8).fill(7));
  const losses = lossesDuring(cluster, () => {
    cluster.apply(resources(20));
    for (let i = 8; i < 20; i++) cluster.start(`n${i}`);
    cluster.advance(60_000);
  });
  assert.deepEqual(losses, []);
  assert.deepEqual(reached(cluster), Array(20).fill(19));
  const sessions = [...cluster.nodes.values()].map((each) => each.bgp.peers().length);
  assert.equal(sessions.filter((count) => count === 4).length, 16, sessions.join());
});

for (const diesAfter of [5, 50, 1_005]) {
  test(`topology Auto: a reflector that dies ${diesAfter} ms into such a change takes no route with it`, () => {
    const cluster = clusterOf(8);
    cluster.advance(30_000);
    cluster.apply(resources(20));
    for (let i = 8; i < 20; i++) cluster.start(`n${i}`);
    const nodes = [...cluster.nodes.values()];
    const dead = nodes.find(({ bgp }) => bgp.peers().length === 19);
    assert.ok(dead);
    const dies = (): void => {
      cluster.advance(diesAfter);
      cluster.network.silence(dead.address);
      cluster.advance(200_000);
    };
    const losses = lossesDuring(cluster, dies, dead);
    const block = ` 10.244.${nodes.indexOf(dead)}.0/26 `;
    assert.deepEqual(
      losses.filter((line) => !line.includes(block)),
      [],
    );
    for (const { bgp } of nodes) if (bgp !== dead.bgp) assert.equal(bgp.kernelRouteCount, 19);
  });
}

test('topology Auto: the listener knows every peer as long as its session is wanted', () => {
  const cluster = clusterOf(8);
  cluster.advance(30_000);
  const nodes = [...cluster.nodes.values()];
  const sessions = () => nodes.map(({ bgp }) => bgp.peers().length);
  const listening = () => nodes.map(({ listen }) => listen?.peers.length);
  cluster.apply(resources(20));
  cluster.advance(1);
  const parting = sessions();
  assert.deepEqual(listening(), parting);
  for (let i = 8; i < 20; i++) cluster.start(`n${i}`);
  cluster.advance(60_000);
  assert.deepEqual(listening(), sessions());
  assert.notDeepEqual(sessions(), parting);
});

test('topology Auto: reflectors that are replaced go when nobody needs them any more', () => {
  const cluster = clusterOf(20);
  cluster.advance(30_000);
  const chosen = [...cluster.nodes.values()].filter(({ bgp }) => bgp.peers().length === 19);
  const reflectors = () => chosen.map(({ bgp }) => reflectorOf(bgp.speaker.config));
  assert.deepEqual(reflectors(), Array(4).fill('chosen'));
  const exclude = { 'projectcalico.org/exclude-from-route-reflection': '' };
  const without = cluster.resources.map((each) =>
    chosen.some(({ name }) => each.kind === 'Node' && each.metadata.name === name)
      ? { ...each, metadata: { ...each.metadata, labels: exclude } }
      : each,
  );
  const losses = lossesDuring(cluster, () => {
    cluster.apply(without);
    cluster.advance(1);
    assert.deepEqual(reflectors(), Array(4).fill('leaving'));
    cluster.advance(60_000);
  });
  assert.deepEqual(losses, []);
  assert.deepEqual(reflectors(), Array(4).fill(undefined));
  assert.deepEqual(reached(cluster), Array(20).fill(19));
  for (const { bgp } of chosen) assert.ok(bgp.peers().length < 8, String(bgp.peers().length));
});

test('nodes that start at once settle their collisions without losing a route', () => {
  const cluster = clusterOf(40, { topology: 'Mesh', meshLimit: 8 });
  cluster.advance(1_000);
  assert.ok(cluster.isConverged());
  assert.deepEqual(reached(cluster), Array(40).fill(39));
  const nodes = [...cluster.nodes.values()];
  const deleted = nodes.flatMap(({ kernel }) =>
    kernel.log.filter((line) => line.startsWith('Deleted')),
  );
  assert.deepEqual(deleted, []);
});
