// A node with a hundred peers, some of them dead, whose process starts anew.
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
