// The blackhole of an aggregate and the peers and next hops inside of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, formatAddress, parseAddress, parsePrefix, prefixContains } from '@calico/ip';
import type { FakeKernel } from './fake_kernel.ts';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const AGGREGATE = '10.0.0.0/8';
const [FAR, BLOCK, OWN] = ['10.2.0.5', '10.244.9.0/26', '10.244.1.0/26'];
const RACK = '10.2.0.0/24';
const GATEWAY = '10.1.0.254';
const UPLINK = 2;

/** Lets the kernel find the longest of its routes: ours, and those of others, by prefix, to their gateways. */
function lookUp(kernel: FakeKernel): Map<string, string> {
  const others = new Map<string, string>();
  const match = (address: Address) => {
    const theirs = Array.from(others, ([prefix, gateway]) => ({
      prefix: parsePrefix(prefix),
      gateway: gateway === '' ? undefined : parseAddress(gateway),
    }));
    const ours = Array.from(kernel.routes.values(), ({ prefix, type, hops }) => ({
      prefix,
      gateway: type === 'blackhole' ? ('blackhole' as const) : hops[0]?.gateway,
    }));
    const found = [...theirs, ...ours].filter(({ prefix }) => prefixContains(prefix, address));
    const [best] = found.toSorted((one, other) => other.prefix.length - one.prefix.length);
    return best?.gateway === 'blackhole' ? undefined : best && { ...best, gateway: best.gateway };
  };
  kernel.resolve = (address) => {
    const best = match(address);
    return best && { gateway: best.gateway, interfaceIndex: UPLINK };
  };
  kernel.matchedLength = (address) => match(address)?.prefix.length;
  return others;
}

const named = (name: string, address: string, bgp = {}) =>
  node(name, `${address}/24`, bgp, { name });

function between(a: string, b: string) {
  return [
    bgpPeer(`${a}-${b}`, { node: a, peerSelector: `name == '${b}'` }),
    bgpPeer(`${b}-${a}`, { node: b, peerSelector: `name == '${a}'` }),
  ];
}

/** The node `a` aggregates what `b`, in another rack, announces, for `x`, outside. */
function start(...routes: readonly (readonly [string, string])[]) {
  const cluster = new SimulatedCluster(7);
  cluster.resources = [
    bgpConfiguration({ nodeToNodeMeshEnabled: false }),
    bgpConfiguration({ aggregates: [{ cidr: AGGREGATE }] }, 'node.a'),
    pool('10.244.0.0/16'),
    named('a', '10.1.0.1'),
    named('b', FAR),
    named('x', '10.1.0.30', { asNumber: 65_100 }),
    affinity('b', BLOCK),
    ...between('a', 'b'),
    ...between('a', 'x'),
  ];
  for (const name of ['a', 'b', 'x']) cluster.start(name);
  const { kernel } = cluster.node('a');
  const others = lookUp(kernel);
  for (const [prefix, gateway] of [['10.1.0.0/24', ''], ...routes] as const) {
    others.set(prefix, gateway);
  }
  /** What `a` has, and has said is wrong, after a while in which `b` and its block were never lost. */
  const settle = (isSteady = true) => {
    const { bgp, speaker } = cluster.node('a');
    bgp.kernelChanged({ kind: 'ways' });
    for (let time = 0; time < 40_000; time += 50) {
      cluster.advance(50);
      if (!isSteady) continue;
      const best = speaker.rib.get(parsePrefix(BLOCK))?.best;
      assert.equal(best && formatAddress(best.data.nextHop), FAR, `after ${time} ms`);
      assert.ok(speaker.peers.get(FAR)?.live);
    }
    const isTold = cluster.node('x').speaker.rib.get(parsePrefix(AGGREGATE)) !== undefined;
    return { isTold, routes: kernel.describe(), problems: bgp.messages };
  };
  return { cluster, kernel, others, settle };
}

const HELD = {
  isTold: true,
  routes: [`${BLOCK} via ${GATEWAY}`, `blackhole ${AGGREGATE}`],
  problems: [],
};
const WITHHELD = {
  isTold: true,
  routes: [`${BLOCK} via ${GATEWAY}`],
  problems: [
    `Cannot blackhole aggregate "${AGGREGATE}": no route as specific leads to "${FAR}", a peer or next hop inside`,
  ],
};

test('a blackhole comes and goes with the routes that keep it from cutting off, and nobody notices', () => {
  const { cluster, kernel, others, settle } = start(['0.0.0.0/0', GATEWAY]);
  cluster.advance(5_000);
  assert.deepEqual(settle(), WITHHELD);
  assert.ok(!kernel.log.some((line) => line.includes('blackhole')), 'it has never been written');
  others.set(RACK, GATEWAY);
  assert.deepEqual(settle(), HELD);
  const before = kernel.log.length;
  assert.deepEqual(settle(), HELD);
  assert.equal(kernel.log.length, before);
  others.delete(RACK);
  assert.deepEqual(settle(), WITHHELD);
});

test('what a blackhole of an earlier process stands before is reached when that is gone', () => {
  const { cluster, kernel, others, settle } = start(['0.0.0.0/0', GATEWAY], [RACK, GATEWAY]);
  cluster.advance(5_000);
  assert.deepEqual(settle(), HELD);
  cluster.kill('a');
  others.delete(RACK);
  assert.equal(kernel.resolve(parseAddress(FAR)), undefined);
  cluster.start('a');
  cluster.advance(5_000);
  assert.deepEqual(settle(), WITHHELD);
});

test('a next hop that nothing leads to is not reachable, and that stays so', () => {
  const { cluster, kernel, others, settle } = start(['0.0.0.0/0', GATEWAY], [RACK, GATEWAY]);
  cluster.advance(5_000);
  assert.deepEqual(settle(), HELD);
  others.delete(RACK);
  others.delete('0.0.0.0/0');
  settle(false);
  const { length } = kernel.log;
  assert.deepEqual(settle(false).routes, []);
  assert.equal(kernel.log.length, length);
});

test('what is in a block of the node decides nothing', () => {
  const { cluster, settle } = start([RACK, GATEWAY], ['0.0.0.0/0', GATEWAY]);
  cluster.apply([
    ...cluster.resources,
    affinity('a', OWN),
    bgpPeer('pod', { node: 'a', peerIP: '10.244.1.7', asNumber: 65_200 }),
  ]);
  cluster.advance(5_000);
  const expected = { ...HELD, routes: [...HELD.routes, `blackhole ${OWN}`].toSorted() };
  assert.deepEqual(settle(), expected);
});
