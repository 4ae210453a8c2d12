// How a cluster of simulated nodes behaves with topology Auto: every node runs the whole speaker, on a
// network, a clock and kernels in memory, all in this process.
//   node --max-old-space-size=12000 integration/bench/bgp_topology.ts --nodes 800
//   --mesh-limit 100   nodes up to which there is a full mesh
// From nothing to full reachability, the death of a reflector; then a mesh at its limit that grows, and
// takes the sessions down that reflectors replace. Rows of Markdown: simulated time, this process's time
// and memory, sessions, and kernel routes that live nodes lost on the way, also for a moment only.
import { parseArgs } from 'node:util';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, node, pool } from '../../services/bgp/testing/resources.ts';
import {
  SimulatedCluster,
  type SimulatedNode,
} from '../../services/bgp/testing/simulated_cluster.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '800' },
    'mesh-limit': { type: 'string', default: '100' },
  },
});
const NODES = Number(values.nodes);
const MESH_LIMIT = Number(values['mesh-limit']);
const ZONES = 3;
const STEP_MS = 50;
const PATIENCE_MS = 300_000;

function blockOf(index: number): string {
  return `10.0.${index >> 2}.${(index & 3) * 64}/26`;
}

function resources(count: number): AnyResource[] {
  const all = [pool('10.0.0.0/16'), bgpConfiguration({ topology: 'Auto', meshLimit: MESH_LIMIT })];
  for (let i = 0; i < count; i++) {
    const zone = { 'topology.kubernetes.io/zone': `zone-${i % ZONES}` };
    all.push(node(`n${i}`, `172.16.${i >> 8}.${i & 255}/16`, {}, zone));
    all.push(affinity(`n${i}`, blockOf(i)));
  }
  return all;
}

/** The nodes that are meant to know one another. */
function others(cluster: SimulatedCluster, dead?: SimulatedNode): SimulatedNode[] {
  return [...cluster.nodes.values()].filter((each) => each !== dead);
}

function isReached(nodes: readonly SimulatedNode[], count: number): boolean {
  return nodes.length === count && nodes.every(({ bgp }) => bgp.kernelRouteCount === count);
}

function sessionsOf(cluster: SimulatedCluster): number {
  return others(cluster).reduce((sum, { bgp }) => sum + bgp.speaker.peers.size, 0) / 2;
}

type Measured = {
  readonly what: string;
  readonly cluster: SimulatedCluster;
  readonly begin?: () => void;
  readonly isDone: () => boolean;
  readonly dead?: SimulatedNode | undefined;
  /** A block that is meant to go. */
  readonly gone?: string;
};

/** Lets time go on until it is done, and prints what that took. */
function measure({ what, cluster, begin, isDone, dead, gone }: Measured): void {
  const marks = others(cluster, dead).map(({ kernel }) => ({ kernel, from: kernel.log.length }));
  const [simulated, wall, cpu] = [cluster.clock.now(), performance.now(), process.cpuUsage()];
  begin?.();
  while (!isDone() && cluster.clock.now() - simulated < PATIENCE_MS) cluster.advance(STEP_MS);
  const { user, system } = process.cpuUsage(cpu);
  const lost = marks.flatMap(({ kernel, from }) =>
    kernel.log.slice(from).filter((line) => line.startsWith('Deleted')),
  );
  const unmeant = lost.filter((line) => gone === undefined || !line.includes(` ${gone} `));
  const columns = [
    isDone() ? what : `${what}: NOT DONE`,
    ((cluster.clock.now() - simulated) / 1000).toFixed(2),
    ((performance.now() - wall) / 1000).toFixed(1),
    ((user + system) / 1e6).toFixed(1),
    String(sessionsOf(cluster)),
    String(unmeant.length),
    (process.memoryUsage().rss / 2 ** 20).toFixed(0),
  ];
  console.log(`| ${columns.join(' | ')} |`);
}

function fromNothing(count: number, what: string): SimulatedCluster {
  const cluster = new SimulatedCluster(7);
  cluster.resources = resources(count);
  measure({
    what,
    cluster,
    begin: () => startAll(cluster, 0, count),
    isDone: () => isReached(others(cluster), count),
  });
  return cluster;
}

function startAll(cluster: SimulatedCluster, from: number, to: number): void {
  for (let i = from; i < to; i++) cluster.start(`n${i}`);
}

function loseReflector(cluster: SimulatedCluster): void {
  const index = others(cluster).findIndex(({ bgp }) => bgp.speaker.peers.size === NODES - 1);
  const dead = others(cluster)[index];
  if (dead === undefined || NODES <= MESH_LIMIT) return;
  measure({
    what: 'a reflector dies without a word',
    cluster,
    dead,
    gone: blockOf(index),
    begin: () => cluster.network.silence(dead.address),
    isDone: () => isReached(others(cluster, dead), NODES - 1),
  });
}

function grow(cluster: SimulatedCluster): void {
  measure({
    what: `it grows to ${NODES}`,
    cluster,
    begin: () => {
      cluster.apply(resources(NODES));
      startAll(cluster, MESH_LIMIT, NODES);
    },
    isDone: () => isReached(others(cluster), NODES),
  });
  const reflectors = others(cluster).filter(({ bgp }) => bgp.speaker.peers.size === NODES - 1);
  const { length } = reflectors;
  const wanted = length * (NODES - length) + (length * (length - 1)) / 2;
  measure({
    what: 'and takes its old sessions down',
    cluster,
    isDone: () => sessionsOf(cluster) === wanted,
  });
}

console.log('| what | simulated s | own s | CPU s | sessions | lost routes | memory MB |');
console.log('|---|---|---|---|---|---|---|');
loseReflector(fromNothing(NODES, `${NODES} nodes from nothing`));
if (NODES > MESH_LIMIT) grow(fromNothing(MESH_LIMIT, `a mesh of ${MESH_LIMIT} from nothing`));
