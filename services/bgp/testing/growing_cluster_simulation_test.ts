// Two hundred whole speakers in one process: a mesh outgrows its limit, and a reflector dies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster, type SimulatedNode } from './simulated_cluster.ts';

const MESH_LIMIT = 24;
const NODES = 200;
const STEP_MS = 50;

function blockOf(index: number): string {
  return `10.244.${index}.0/26`;
}

function resources(count: number): AnyResource[] {
  const all = [
    pool('10.244.0.0/16'),
    bgpConfiguration({ topology: 'Auto', meshLimit: MESH_LIMIT }),
  ];
  for (let i = 0; i < count; i++) {
    const zone = { 'topology.kubernetes.io/zone': `zone-${i % 3}` };
    all.push(node(`n${i}`, `10.0.0.${i + 1}/24`, {}, zone), affinity(`n${i}`, blockOf(i)));
  }
  return all;
}

function grow(cluster: SimulatedCluster, from: number, to: number): void {
  cluster.apply(resources(to));
  for (let i = from; i < to; i++) cluster.start(`n${i}`);
}

function nodesOf(cluster: SimulatedCluster): SimulatedNode[] {
  return [...cluster.nodes.values()];
}

/** Lets time go on until each of them has a route to this many blocks, its own among them. */
function awaitBlocks(cluster: SimulatedCluster, nodes: readonly SimulatedNode[], count: number) {
  const deadline = cluster.clock.now() + 300_000;
  while (!nodes.every(({ bgp }) => bgp.kernelRouteCount === count)) {
    assert.ok(cluster.clock.now() < deadline, nodes.map(({ bgp }) => bgp.kernelRouteCount).join());
    cluster.advance(STEP_MS);
  }
}

test('two hundred nodes outgrow their mesh, a reflector dies meanwhile, and nobody loses a route', () => {
  const cluster = new SimulatedCluster(7);
  grow(cluster, 0, MESH_LIMIT);
  awaitBlocks(cluster, nodesOf(cluster), MESH_LIMIT);
  grow(cluster, MESH_LIMIT, NODES);
  // All routes are told, and the first sessions of the mesh go.
  cluster.advance(1_005);
  const nodes = nodesOf(cluster);
  const dead = nodes.findIndex(({ bgp }) => bgp.peers().length === NODES - 1);
  cluster.network.silence(nodes[dead]?.address ?? assert.fail('no reflector'));
  const live = nodes.toSpliced(dead, 1);
  awaitBlocks(cluster, live, NODES - 1);
  const isLoss = (line: string): boolean =>
    line.startsWith('Deleted') && !line.includes(` ${blockOf(dead)} `);
  for (const { kernel, name } of live) assert.deepEqual(kernel.log.filter(isLoss), [], name);
  const sessions = live.map(({ bgp }) => bgp.peers().length);
  assert.ok(sessions.filter((count) => count < 10).length > NODES - 10, sessions.join());
});
