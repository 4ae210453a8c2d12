// Route reflectors, external sessions and changes of configuration, in simulation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const LABEL = { 'route-reflector': 'true' };
const CLUSTER_ID = { routeReflectorClusterID: '244.0.0.1' };

function clients(count: number): AnyResource[] {
  return Array.from({ length: count }, (_, index) => [
    node(`n${index}`, `192.168.80.${100 + index}/24`),
    affinity(`n${index}`, `10.244.${index}.0/26`),
  ]).flat();
}

function started(seed: number, resources: readonly AnyResource[]): SimulatedCluster {
  const cluster = new SimulatedCluster(seed);
  cluster.resources = resources;
  for (const { kind, metadata } of resources) if (kind === 'Node') cluster.start(metadata.name);
  return cluster;
}

const REFLECTED = [
  bgpConfiguration({ nodeToNodeMeshEnabled: false }),
  pool('10.244.0.0/16'),
  node('r0', '192.168.80.10/24', CLUSTER_ID, LABEL),
  node('r1', '192.168.80.11/24', CLUSTER_ID, LABEL),
  affinity('r0', '10.244.200.0/26'),
  bgpPeer('reflectors', { nodeSelector: 'all()', peerSelector: 'has(route-reflector)' }),
  ...clients(6),
];

test('clients of two reflectors have every block, through its own node', () => {
  const cluster = started(1, REFLECTED);
  cluster.advance(5_000);
  assert.ok(cluster.isConverged());
  assert.deepEqual(Object.keys(cluster.node('n3').states()).toSorted(), ['10', '11']);
  assert.deepEqual(cluster.node('n3').kernel.describe(), [
    '10.244.0.0/26 via 192.168.80.100',
    '10.244.1.0/26 via 192.168.80.101',
    '10.244.2.0/26 via 192.168.80.102',
    '10.244.200.0/26 via 192.168.80.10',
    '10.244.4.0/26 via 192.168.80.104',
    '10.244.5.0/26 via 192.168.80.105',
    'blackhole 10.244.3.0/26',
  ]);
});

test('a reflector that is killed and comes back, then the other: no route flaps', () => {
  const cluster = started(2, REFLECTED);
  cluster.advance(5_000);
  for (const { kernel } of cluster.nodes.values()) kernel.log.length = 0;
  for (const name of ['r0', 'r1', 'n2']) {
    cluster.kill(name);
    cluster.advance(2_000);
    cluster.start(name);
    cluster.advance(10_000);
    assert.ok(cluster.isConverged(), name);
  }
  cluster.advance(200_000);
  for (const { kernel, name } of cluster.nodes.values()) assert.deepEqual(kernel.log, [], name);
});

test('one reflector gone for good changes nothing, for there is the other', () => {
  const cluster = started(3, REFLECTED);
  cluster.advance(5_000);
  const { kernel } = cluster.node('n0');
  const before = kernel.describe();
  kernel.log.length = 0;
  cluster.network.silence(cluster.node('r1').address);
  cluster.advance(300_000);
  assert.deepEqual(kernel.describe(), before);
  assert.deepEqual(kernel.log, []);
});

test('nodes of different AS numbers: external sessions carry the blocks', () => {
  const resources = [
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24', { asNumber: 65001 }),
    node('b', '192.168.80.101/24', { asNumber: 65002 }),
    node('c', '192.168.80.102/24', { asNumber: 65003 }),
    affinity('a', '10.244.1.0/26'),
    affinity('b', '10.244.2.0/26'),
    affinity('c', '10.244.3.0/26'),
  ];
  const cluster = started(4, resources);
  cluster.advance(5_000);
  assert.ok(cluster.isConverged());
  assert.deepEqual(cluster.node('a').kernel.describe(), [
    '10.244.2.0/26 via 192.168.80.101',
    '10.244.3.0/26 via 192.168.80.102',
    'blackhole 10.244.1.0/26',
  ]);
});

test('from the mesh to reflectors: sessions that stay are not touched', () => {
  const mesh = [
    bgpConfiguration({}),
    ...REFLECTED.filter(({ kind }) => kind !== 'BGPConfiguration'),
  ];
  const cluster = started(5, mesh);
  cluster.advance(5_000);
  const since = () => cluster.node('n0').speaker.peers.get('192.168.80.10')?.session.since;
  const before = since();
  assert.equal(cluster.node('n0').speaker.peers.size, 7);
  cluster.apply(REFLECTED);
  cluster.advance(1_000);
  assert.equal(cluster.node('n0').speaker.peers.size, 2);
  assert.equal(since(), before);
  assert.equal(cluster.node('n0').kernel.routes.size, 7);
});

test('a change of the AS number starts sessions anew and ends with all routes', () => {
  const cluster = started(6, REFLECTED);
  cluster.advance(5_000);
  cluster.apply([
    ...REFLECTED.filter(({ kind }) => kind !== 'BGPConfiguration'),
    bgpConfiguration({ nodeToNodeMeshEnabled: false, asNumber: 65100 }),
  ]);
  cluster.advance(20_000);
  assert.ok(cluster.isConverged());
  assert.equal(cluster.node('n0').kernel.routes.size, 7);
});

test('a pool that is not exported is withdrawn, and announced again', () => {
  const cluster = started(7, REFLECTED);
  cluster.advance(5_000);
  const without = REFLECTED.filter(({ kind }) => kind !== 'IPPool');
  cluster.apply([...without, pool('10.244.0.0/16', { disableBGPExport: true })]);
  cluster.advance(1_000);
  assert.deepEqual(cluster.node('n0').kernel.describe(), ['blackhole 10.244.0.0/26']);
  cluster.apply([...without, pool('10.244.0.0/16')]);
  cluster.advance(1_000);
  assert.equal(cluster.node('n0').kernel.routes.size, 7);
});

test('reports: peers with their times, the applied revision, what is wrong', () => {
  const cluster = started(8, REFLECTED);
  cluster.revision = 7n;
  cluster.apply(REFLECTED);
  cluster.advance(5_000);
  const { reporter, kernel, log } = cluster.node('n0');
  assert.deepEqual(reporter.lastApplied, { revision: 8n, inSync: true });
  assert.deepEqual(reporter.lastHealth, { ready: true, messages: [], recent: [] });
  assert.deepEqual(
    reporter.lastPeers.map(({ state, received, advertised, remoteNode }) => ({
      state,
      received,
      advertised,
      remoteNode,
    })),
    [
      { state: 'Established', received: 6, advertised: 1, remoteNode: 'r0' },
      { state: 'Established', received: 6, advertised: 1, remoteNode: 'r1' },
    ],
  );
  kernel.routes.delete('10.244.1.0/26');
  cluster.node('n0').bgp.kernelChanged({ kind: 'unknown' });
  cluster.advance(100);
  assert.equal(kernel.routes.size, 7);
  assert.match(reporter.lastHealth?.recent.join() ?? '', /10.244.1.0\/26 via 192.168.80.101/);
  assert.deepEqual(reporter.lastHealth?.messages, [], 'it is over');
  assert.equal(log.filter((line) => line.includes('restored')).length, 1);
  cluster.advance(600_000);
  assert.deepEqual(reporter.lastHealth, { ready: true, messages: [], recent: [] });
});

test('who is back as another speaker, with the same routes, is told of as that one', () => {
  const cluster = started(5, [...REFLECTED]);
  cluster.advance(5_000);
  const originators = (): (number | undefined)[] =>
    Array.from(cluster.node('n1').speaker.peers.values(), ({ received }) => {
      const told = received.get(parsePrefix('10.244.0.0/26'));
      return told?.data.attributes.originatorId;
    });
  assert.deepEqual(originators(), [0xc0a8_5064, 0xc0a8_5064]);
  cluster.kill('n0');
  cluster.advance(1_000);
  cluster.routerIdOf = () => '1.1.1.1';
  cluster.start('n0');
  cluster.advance(5_000);
  assert.deepEqual(originators(), [0x0101_0101, 0x0101_0101]);
});
