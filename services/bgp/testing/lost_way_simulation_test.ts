import assert from 'node:assert/strict';
import { test } from 'node:test';
import { affinity, bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

test('a peer that the kernel cannot reach any more is lost at once, and comes back with the way', () => {
  const cluster = new SimulatedCluster(5);
  cluster.resources = [
    bgpConfiguration({ asNumber: 64_512 }),
    pool('10.244.0.0/16'),
    ...['a', 'b', 'c'].flatMap((name, index) => [
      node(name, `192.168.80.10${index}/24`),
      affinity(name, `10.244.${index}.0/26`),
    ]),
  ];
  for (const name of ['a', 'b', 'c']) cluster.start(name);
  cluster.advance(5_000);
  const { kernel, bgp, speaker } = cluster.node('a');
  kernel.ways.set('192.168.80.101', undefined);
  cluster.network.silence(cluster.addressOf('b'));
  bgp.kernelChanged({ kind: 'ways' });
  cluster.advance(50);
  const lost = speaker.peers.get('192.168.80.101');
  assert.equal(lost?.live, undefined);
  assert.equal(lost?.session.lastError, 'No route to the peer');
  assert.equal(lost?.received.size, 0, 'nothing is kept for it');
  assert.deepEqual(kernel.describe(), [
    '10.244.2.0/26 via 192.168.80.102',
    'blackhole 10.244.0.0/26',
  ]);
  assert.ok(speaker.peers.get('192.168.80.102')?.live, 'the others stay');
  kernel.ways.clear();
  cluster.network.hear(cluster.addressOf('b'));
  bgp.kernelChanged({ kind: 'ways' });
  cluster.advance(4_000);
  assert.ok(speaker.peers.get('192.168.80.101')?.live);
  assert.equal(kernel.routes.size, 3);
});
