// Nodes whose process starts anew: one with a hundred peers, some of them dead, and one between two that know
// each other's routes by it alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const PEERS = 100;
const DEAD = 20;
const HUB = 'hub';
const HUB_ADDRESS = '192.168.80.254';

const names = Array.from({ length: PEERS }, (_, index) => `node-${index}`);
/** Spread over all, so that live ones come after dead ones. */
const isDead = (_name: string, index: number): boolean => index % (PEERS / DEAD) === 0;
const live = names.filter((name, index) => !isDead(name, index));

test('after a restart live peers are as before within two seconds, whatever dead ones do', () => {
  const cluster = new SimulatedCluster(11);
  cluster.resources = [
    bgpConfiguration({ asNumber: 64_512, nodeToNodeMeshEnabled: false }),
    pool('10.244.0.0/16'),
    node(HUB, `${HUB_ADDRESS}/24`),
    bgpPeer('hub', { node: HUB, peerSelector: 'all()' }),
    affinity(HUB, '10.244.200.0/26'),
    ...names.flatMap((name, index) => [
      node(name, `192.168.80.${index + 1}/24`),
      affinity(name, `10.244.${index}.0/26`),
    ]),
  ];
  // They do not even refuse.
  for (const name of names.filter(isDead)) cluster.network.silence(cluster.addressOf(name));
  for (const name of live) cluster.start(name);
  cluster.start(HUB);
  cluster.advance(5_000);
  const { kernel } = cluster.node(HUB);
  assert.equal(kernel.routes.size, live.length + 1);
  cluster.kill(HUB);
  cluster.advance(1_000);
  kernel.log.length = 0;
  const hub = cluster.start(HUB);
  cluster.advance(2_000);
  const states = Object.values(hub.states());
  assert.equal(states.length, PEERS);
  assert.equal(states.filter((state) => state === 'Established').length, live.length);
  const stale = [...hub.speaker.peers.values()].map(({ received }) => received.staleCount);
  assert.deepEqual(new Set(stale), new Set([0]));
  assert.equal(hub.speaker.rib.size, live.length + 1);
  assert.deepEqual(kernel.log, [], 'the kernel was left as it was');
  for (const name of live) {
    const { received } = cluster.node(name).speaker.peers.get(HUB_ADDRESS) ?? {};
    assert.deepEqual([received?.size, received?.staleCount], [1, 0], name);
  }
});

/** `x`, outside, and `b`, inside, are peers of `a` alone; each has a block. */
const BETWEEN = [
  bgpConfiguration({ asNumber: 64_512, nodeToNodeMeshEnabled: false }),
  pool('10.244.0.0/16'),
  node('a', '192.168.80.100/24'),
  node('b', '192.168.80.101/24'),
  node('x', '192.168.80.102/24', { asNumber: 65_000 }),
  bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', asNumber: 64_512 }),
  bgpPeer('b-a', { node: 'b', peerIP: '192.168.80.100', asNumber: 64_512 }),
  bgpPeer('a-x', { node: 'a', peerIP: '192.168.80.102', asNumber: 65_000 }),
  bgpPeer('x-a', { node: 'x', peerIP: '192.168.80.100', asNumber: 64_512 }),
  affinity('a', '10.244.1.0/26'),
  affinity('b', '10.244.2.0/26'),
  affinity('x', '10.244.3.0/26'),
];

for (const [late, other] of [
  ['b', 'x'],
  ['x', 'b'],
] as const) {
  test(`End-of-RIB to "${other}" waits for what "${late}" tells (RFC 4724 section 4.1)`, () => {
    const cluster = new SimulatedCluster(12);
    cluster.resources = BETWEEN;
    for (const name of ['a', 'b', 'x']) cluster.start(name);
    cluster.advance(10_000);
    const { kernel } = cluster.node(other);
    assert.equal(kernel.routes.size, 3);
    kernel.log.length = 0;
    cluster.kill('a');
    cluster.network.silence(cluster.addressOf(late));
    cluster.advance(500);
    const a = cluster.start('a');
    cluster.advance(4_000);
    const received = () => cluster.node(other).speaker.peers.get('192.168.80.100')?.received;
    assert.equal(received()?.staleCount, 1, 'own routes are told at once');
    cluster.network.hear(cluster.addressOf(late));
    cluster.advance(10_000);
    assert.ok(Object.values(a.states()).every((state) => state === 'Established'));
    assert.equal(received()?.staleCount, 0, 'End-of-RIB has come');
    assert.deepEqual(kernel.log, []);
  });
}

test('two that restart at the same time do not wait for each other', () => {
  const cluster = new SimulatedCluster(13);
  cluster.resources = BETWEEN;
  for (const name of ['a', 'b', 'x']) cluster.start(name);
  cluster.advance(10_000);
  for (const name of ['a', 'x']) cluster.kill(name);
  cluster.advance(500);
  const [a, x] = ['a', 'x'].map((name) => cluster.start(name));
  cluster.advance(10_000);
  for (const restarted of [a, x]) {
    for (const peer of restarted?.speaker.peers.values() ?? []) {
      assert.equal(
        peer.live?.negotiated.gracefulRestart?.isPeerRestarting,
        restarted === x || peer.live?.negotiated.remoteOpen.asn === 65_000,
      );
      assert.equal(peer.live?.complete.has(4), true);
    }
  }
});
