// How a cluster of simulated nodes behaves with topology Auto: every node runs the whole speaker, on a
// network, a clock and kernels in memory, all in this process.
import { parseArgs } from 'node:util';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, node, pool } from '../../services/bgp/testing/resources.ts';
import {
  SimulatedCluster,
  type SimulatedNode,
} from '../../services/bgp/testing/simulated_cluster.ts';

const HELP = `How a cluster with topology Auto behaves: all its nodes in this process, in simulated time.

  node --max-old-space-size=8000 integration/bench/bgp_topology.ts [options] [scene …]

Scenes, all without any:
  start    from nothing until every node reaches every block; then a reflector dies without a word
  grow     a full mesh at its limit grows, and takes down the sessions that reflectors replace
  loss     the same, and a reflector dies while it grows

  --nodes N         nodes in the end (800: some 8 minutes and 4 GB; 200: half a minute)
  --mesh-limit N    nodes up to which there is a full mesh (100)
  --dies-after MS   simulated time from the beginning of the growth to the reflector's death (5: new nodes
                    have some of their sessions; at 50 they reach everybody, from 1000 on old sessions go)
  --help

Rows of Markdown: simulated time, this process's time, CPU time and memory, sessions, and kernel routes
that live nodes lost on the way, also for a moment only.`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    nodes: { type: 'string', default: '800' },
    'mesh-limit': { type: 'string', default: '100' },
    'dies-after': { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
});
const NODES = Number(values.nodes);
const MESH_LIMIT = Number(values['mesh-limit']);
const DIES_AFTER_MS = Number(values['dies-after']);
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
  /** @returns who is dead from then on */
  readonly begin?: () => SimulatedNode | undefined;
  readonly isDone: (dead: SimulatedNode | undefined) => boolean;
};

/** Lets time go on until it is done, and prints what that took. */
function measure({ what, cluster, begin, isDone }: Measured): void {
  const before = new Map(others(cluster).map((each) => [each, each.kernel.log.length]));
  const [simulated, wall, cpu] = [cluster.clock.now(), performance.now(), process.cpuUsage()];
  const dead = begin?.();
  while (!isDone(dead) && cluster.clock.now() - simulated < PATIENCE_MS) cluster.advance(STEP_MS);
  const { user, system } = process.cpuUsage(cpu);
  const gone = dead && ` ${blockOf([...cluster.nodes.values()].indexOf(dead))} `;
  const lost = others(cluster, dead).flatMap((each) =>
    each.kernel.log
      .slice(before.get(each) ?? 0)
      .filter((line) => line.startsWith('Deleted') && !(gone && line.includes(gone))),
  );
  const columns = [
    isDone(dead) ? what : `${what}: NOT DONE`,
    ((cluster.clock.now() - simulated) / 1000).toFixed(2),
    ((performance.now() - wall) / 1000).toFixed(1),
    ((user + system) / 1e6).toFixed(1),
    String(sessionsOf(cluster)),
    String(lost.length),
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

function startAll(cluster: SimulatedCluster, from: number, to: number): undefined {
  for (let i = from; i < to; i++) cluster.start(`n${i}`);
}

function silence(cluster: SimulatedCluster, dead: SimulatedNode | undefined): typeof dead {
  if (dead !== undefined) cluster.network.silence(dead.address);
  return dead;
}

function mesh(): SimulatedCluster {
  return fromNothing(MESH_LIMIT, `a mesh of ${MESH_LIMIT} from nothing`);
}

function growFrom(cluster: SimulatedCluster): undefined {
  cluster.apply(resources(NODES));
  startAll(cluster, MESH_LIMIT, NODES);
}

function reflectorsOf(cluster: SimulatedCluster): SimulatedNode[] {
  return others(cluster).filter(({ bgp }) => bgp.speaker.peers.size === NODES - 1);
}

/** Whether there are the sessions of all nodes with the reflectors, and no others. */
function isThinned(cluster: SimulatedCluster): boolean {
  const { length } = reflectorsOf(cluster);
  return sessionsOf(cluster) === length * (NODES - length) + (length * (length - 1)) / 2;
}

const SCENES: Readonly<Record<string, () => void>> = {
  start() {
    const cluster = fromNothing(NODES, `${NODES} nodes from nothing`);
    measure({
      what: 'a reflector dies without a word',
      cluster,
      begin: () => silence(cluster, reflectorsOf(cluster)[0]),
      isDone: (dead) => isReached(others(cluster, dead), NODES - 1),
    });
  },
  grow() {
    const cluster = mesh();
    measure({
      what: `it grows to ${NODES}`,
      cluster,
      begin: () => growFrom(cluster),
      isDone: () => isReached(others(cluster), NODES),
    });
    measure({
      what: 'and takes its old sessions down',
      cluster,
      isDone: () => isThinned(cluster),
    });
  },
  loss() {
    const cluster = mesh();
    measure({
      what: `it grows to ${NODES}, and a reflector dies meanwhile`,
      cluster,
      begin: () => {
        growFrom(cluster);
        cluster.advance(DIES_AFTER_MS);
        return silence(cluster, reflectorsOf(cluster)[0]);
      },
      isDone: (dead) => isThinned(cluster) && isReached(others(cluster, dead), NODES - 1),
    });
  },
};

play();

function play(): void {
  if (values.help) {
    console.log(HELP);
    return;
  }
  const unknown = positionals.find((name) => SCENES[name] === undefined);
  if (unknown !== undefined) {
    const known = Object.keys(SCENES).join(', ');
    throw new Error(`Cannot play "${unknown}": no such scene, there are ${known}`);
  }
  if (!(NODES > MESH_LIMIT)) {
    throw new Error(
      `Cannot play ${NODES} nodes: there must be more than ${MESH_LIMIT} for reflectors`,
    );
  }
  console.log('| what | simulated s | own s | CPU s | sessions | lost routes | memory MB |');
  console.log('|---|---|---|---|---|---|---|');
  for (const [name, scene] of Object.entries(SCENES)) {
    if (positionals.length === 0 || positionals.includes(name)) scene();
  }
}
