// What is measured. Sizes are prefixes for tables, peers for meshes and reflectors.
import { firstAddress, parseAddress } from '@calico/ip';
import type { Plan } from './measure.ts';
import { blocks, fullTable } from './updates.ts';
import {
  markerPrefix,
  NEXT_HOP,
  type PeerPlan,
  peerAddress,
  SPEAKER,
  type Space,
} from './world.ts';

export type Workload = {
  readonly title: string;
  readonly sizes: readonly number[];
  /** What else is measured beyond time, CPU and memory. */
  readonly extra?: { readonly field: 'connect' | 'loss'; readonly title: string };
  readonly plan: (size: number) => Plan;
};

const TABLES = [10_000, 100_000, 500_000, 1_000_000];
const BLOCKS = 16;
const EQUALS = 30;
const VICTIMS = [20, 1, 40, 33, 7];
const FIRST_ASN = 64_000;
/** BIRD keeps eight connections waiting; of 200 at once some need a minute, which no mesh's time is. */
const POLITE = 8;
const nothing = (): number => 0;

export const WORKLOADS: Readonly<Record<string, Workload>> = {
  rib: {
    title: '(a) full table into the RIB',
    sizes: TABLES,
    plan: (count) => ({
      ...tablePlan(count, [external(0, 'nothing'), external(1, 'markers')], 1, false),
      expects: (_, number) => (number === 1 ? 1 : 0),
    }),
  },
  receiver: {
    title: '(a) full table to one receiver',
    sizes: TABLES,
    plan: (count) => ({
      ...tablePlan(count, [external(0, 'nothing'), external(1, 'all')], 1, false),
      expects: (_, number) => (number === 1 ? count + 1 : 0),
    }),
  },
  kernel: {
    title: '(a) full table into the kernel',
    sizes: TABLES,
    extra: { field: 'loss', title: '(e) that peer killed, until the kernel is clean' },
    plan: (count) => ({
      ...tablePlan(count, [external(0, 'nothing')], 1, true),
      victims: { numbers: [0], routes: count + 1 },
    }),
  },
  mesh: {
    title: '(b) mesh, 16 blocks per peer, into the kernel',
    sizes: [50, 100, 200],
    extra: { field: 'loss', title: '(b) one peer killed, until its routes are out' },
    plan: (peers) => ({
      ...blocksPlan(peers, false),
      connecting: POLITE,
      victims: { numbers: VICTIMS.filter((number) => number < peers), routes: BLOCKS },
    }),
  },
  reflector: {
    title: '(c) route reflector, 16 blocks per client, to every client',
    sizes: [200],
    extra: { field: 'connect', title: '(c) all clients connect at once' },
    plan: (clients) => ({
      ...blocksPlan(clients, true),
      expects: () => (clients - 1) * BLOCKS,
    }),
  },
  equals: {
    title: `(d) ${EQUALS} peers with the same table, to one receiver`,
    sizes: [10_000, 100_000],
    plan: (count) => {
      const feeders = Array.from({ length: EQUALS }, (_, index) => external(index, 'nothing'));
      return {
        ...tablePlan(count, [...feeders, external(EQUALS, 'all')], EQUALS, false),
        expects: (_, number) => (number === EQUALS ? count + EQUALS : 0),
      };
    },
  },
};

function external(index: number, told: PeerPlan['told']): PeerPlan {
  return { address: peerAddress(index), asn: FIRST_ASN + index, told };
}

function tablePlan(
  count: number,
  peers: readonly PeerPlan[],
  feeders: number,
  hasKernel: boolean,
): Plan {
  const space: Space = { count, length: 24 };
  const nextHop = parseAddress(NEXT_HOP);
  return {
    world: { peers, isReflector: false, hasKernel },
    space,
    feeds: peers.slice(0, feeders).map((peer, number) => fullTable(space, peer, number, nextHop)),
    expects: nothing,
    routes: count + feeders,
    last: firstAddress(markerPrefix(feeders - 1)),
    paths: (count + 1) * feeders,
  };
}

function blocksPlan(size: number, isReflector: boolean): Plan {
  const space: Space = { count: size * BLOCKS, length: 26 };
  const peers = Array.from({ length: size }, (_, index): PeerPlan => {
    return { address: peerAddress(index), asn: SPEAKER.asn, told: 'all' };
  });
  return {
    world: { peers, isReflector, hasKernel: !isReflector },
    space,
    feeds: peers.map((peer, index) => blocks(space, peer, index * BLOCKS, BLOCKS)),
    expects: nothing,
    routes: space.count,
    paths: space.count,
  };
}
