// A node whose process starts anew while a peer cannot be spoken to yet: its password, or the interface that it
// is on, comes later. What an earlier process has put into the kernel through it stays meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, parseAddress, parsePrefix } from '@calico/ip';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const UPLINK = 2;
const LINK = 3;
const ROUTE = '10.244.7.0/26';
const password = { secretKeyRef: { name: 'bgp', key: 'leaf' } };

const WAITING = {
  'its password': { gateway: '192.168.80.107', spec: { peerIP: '192.168.80.107', password } },
  'its interface': { gateway: 'fe80::7', spec: { peerIP: 'fe80::7%eth1' } },
} as const;

/** Node a, restarted, beside b, with a route through the gateway that its process before has left. */
function restarted(gateway: Address, spec: object): SimulatedCluster {
  const cluster = new SimulatedCluster(5);
  cluster.resources = [
    bgpConfiguration({ asNumber: 64_512 }),
    pool('10.244.0.0/16'),
    bgpPeer('leaf', { node: 'a', asNumber: 65_000, ...spec }),
    ...['a', 'b'].flatMap((name, index) => [
      node(name, `192.168.80.10${index}/24`),
      affinity(name, `10.244.${index}.0/26`),
    ]),
  ];
  for (const name of ['a', 'b']) cluster.start(name);
  cluster.advance(10_000);
  cluster.kill('a');
  const interfaceIndex = gateway.family === 6 ? LINK : UPLINK;
  cluster.node('a').kernel.routes.set(ROUTE, {
    prefix: parsePrefix(ROUTE),
    type: 'unicast',
    hops: [{ gateway, interfaceIndex, onlink: false }],
  });
  cluster.start('a');
  return cluster;
}

for (const [what, { gateway, spec }] of Object.entries(WAITING)) {
  test(`a peer that waits for ${what} is away, not forgotten`, () => {
    const cluster = restarted(parseAddress(gateway), spec);
    const { kernel } = cluster.node('a');
    cluster.advance(119_000);
    assert.ok(kernel.routes.has(ROUTE));
    // Everybody else is there for long.
    assert.equal(Object.values(cluster.node('a').states()).join(), 'Established');
    cluster.advance(3_000);
    assert.ok(!kernel.routes.has(ROUTE));
  });
}
