// Routes that a node needs for all others, by upstream's rule of placement and by ours, simulated.
//
//   node integration/bench/ipam_routes.ts [--nodes 1000] [--pods 100000] [--rounds 50] [--rack 25]
//
// Each round replaces 30 % of the pods by others on nodes drawn at random. Blocks are never moved while
// in use; surplus empty ones are given back. All rules see the same pods in the same order.
import { parseArgs } from 'node:util';
import { aggregate, type Prefix, parsePrefix } from '@calico/ip';
import {
  GROUP_BITS,
  PAIR_BITS,
  type PlacementPool,
  placeBlock,
} from '../../services/ipam/core/grouped_placement.ts';
import { startIndex } from '../../services/ipam/core/placement.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1000' },
    pods: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '50' },
    rack: { type: 'string', default: '25' },
    pool: { type: 'string', default: '10.0.0.0/13' },
  },
});
const NODES = Number(values.nodes);
const PODS = Number(values.pods);
const ROUNDS = Number(values.rounds);
const RACK = Number(values.rack);
const REPLACED = 0.3;
const POOL: PlacementPool = { cidr: parsePrefix(values.pool), blockSize: 26 };
const BLOCK = 64;
/** 64 blocks: 25 nodes of about two blocks each. */
const SUPER_BITS = 6;

type Block = { readonly cidr: Prefix; used: number };
type Place = (
  node: number,
  own: readonly Block[],
  taken: ReadonlyMap<bigint, number>,
) => Prefix | undefined;

const nodeName = (node: number): string => `node-${node}`;
const rackOf = (node: number): number => Math.floor(node / RACK);
const STEP = BigInt(BLOCK);
const COUNT = 1n << BigInt(POOL.blockSize - POOL.cidr.length);

/** From the start that depends on the name, one after the other. */
const upstream: Place = (node, _own, taken) => {
  const start = startIndex(nodeName(node), COUNT);
  for (let i = 0n; i < COUNT; i++) {
    const value = POOL.cidr.value + ((start + i) % COUNT) * STEP;
    if (!taken.has(value)) return { family: 4, value, length: POOL.blockSize };
  }
  return undefined;
};

const grouped =
  (hasRacks: boolean): Place =>
  (node, own, taken) => {
    const rack = rackOf(node);
    return placeBlock(
      {
        pool: POOL,
        node: nodeName(node),
        own: own.map(({ cidr }) => cidr),
        groupBits: hasRacks ? PAIR_BITS : GROUP_BITS,
        ...(hasRacks ? { topology: { label: `rack-${rack}`, superBits: SUPER_BITS } } : {}),
      },
      ({ value }) => {
        const holder = taken.get(value);
        if (holder === undefined) return 'nobody';
        return rackOf(holder) === rack ? 'same' : 'other';
      },
    );
  };

class Cluster {
  readonly #place: Place;
  readonly #blocks: Block[][] = Array.from({ length: NODES }, () => []);
  /** The node of each block. */
  readonly #taken = new Map<bigint, number>();
  /** The block of each pod. */
  readonly #pods: Block[] = [];

  constructor(place: Place) {
    this.#place = place;
  }

  start(pod: number, node: number): void {
    const own = this.#blocks[node] ?? [];
    let block = own.find(({ used }) => used < BLOCK);
    if (block === undefined) {
      const cidr = this.#place(node, own, this.#taken);
      if (cidr === undefined) throw new RangeError('Cannot place a block: the pool is full');
      block = { cidr, used: 0 };
      own.push(block);
      this.#taken.set(cidr.value, node);
    }
    block.used++;
    this.#pods[pod] = block;
  }

  stop(pod: number): void {
    const block = this.#pods[pod];
    if (block !== undefined) block.used--;
  }

  /** Gives empty blocks back; a node keeps one. */
  tidy(): void {
    for (const own of this.#blocks) {
      for (const block of own.filter(({ used }) => used === 0)) {
        if (own.length === 1) break;
        own.splice(own.indexOf(block), 1);
        this.#taken.delete(block.cidr.value);
      }
    }
  }

  get blockCount(): number {
    return this.#taken.size;
  }

  /** Fewest prefixes that so many blocks of each node can be: one per bit of their number. */
  get fewest(): number {
    return sum(this.#blocks.map((own) => bitsOf(own.length)));
  }

  /** Prefixes of the blocks of some nodes: merged exactly, never covering an address of others. */
  merged(nodes: readonly number[]): number {
    return aggregate(nodes.flatMap((node) => this.#blocks[node] ?? []).map(({ cidr }) => cidr))
      .length;
  }
}

/** A seeded generator (mulberry32), so that a run can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function simulate(place: Place): Cluster {
  const random = generator(1);
  const cluster = new Cluster(place);
  const anyNode = (): number => Math.floor(random() * NODES);
  for (let pod = 0; pod < PODS; pod++) cluster.start(pod, anyNode());
  for (let round = 0; round < ROUNDS; round++) {
    const replaced = Array.from({ length: PODS }, (_, pod) => pod).filter(
      () => random() < REPLACED,
    );
    for (const pod of replaced) cluster.stop(pod);
    cluster.tidy();
    for (const pod of replaced) cluster.start(pod, anyNode());
  }
  return cluster;
}

const nodes = Array.from({ length: NODES }, (_, node) => node);
const racks = [...Map.groupBy(nodes, rackOf).values()];
const bitsOf = (number: number): number => number.toString(2).replaceAll('0', '').length;
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Routes on one node when each node is a next hop of its own. */
const perNode = (cluster: Cluster): number => sum(nodes.map((node) => cluster.merged([node])));

/** Routes on one node when other racks are behind one next hop each: nodes of its own rack, and racks. */
function perRack(cluster: Cluster): number {
  const all = sum(racks.map((rack) => cluster.merged(rack)));
  const own = perNode(cluster) / racks.length;
  return own + (all * (racks.length - 1)) / racks.length;
}

const before = simulate(upstream);
const flat = simulate(grouped(false));
const racked = simulate(grouped(true));
const rows: [string, Cluster, number][] = [
  ['upstream: one route per block', before, before.blockCount],
  ["upstream's placement, merged per node", before, perNode(before)],
  ["upstream's placement, merged per rack", before, perRack(before)],
  ['ours without topology, merged per node', flat, perNode(flat)],
  ['the fewest that one next hop per node allows', flat, flat.fewest],
  ['ours with racks, merged per node', racked, perNode(racked)],
  ['ours with racks, merged per rack', racked, perRack(racked)],
];
console.log(
  `${NODES} nodes in racks of ${RACK}, ${PODS} pods, ${ROUNDS} rounds, pool ${values.pool}`,
);
console.log(`${'rule'.padEnd(44)}  blocks  utilisation  routes on a node  fewer`);
for (const [name, cluster, routes] of rows) {
  const use = ((100 * PODS) / (cluster.blockCount * BLOCK)).toFixed(1);
  const fewer = (before.blockCount / routes).toFixed(2);
  console.log(
    `${name.padEnd(44)}  ${String(cluster.blockCount).padStart(6)}  ${use.padStart(10)}%  ${routes.toFixed(0).padStart(16)}  ${fewer.padStart(4)}x`,
  );
}
