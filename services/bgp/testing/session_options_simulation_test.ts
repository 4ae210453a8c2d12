// What options of sessions do between whole nodes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAsPath } from '@calico/bgp-wire';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

type Options = Readonly<Record<string, unknown>>;

/** Nodes a and b that peer as told, each with so many blocks. */
function pair(optionsOfA: Options, optionsOfB: Options = {}, asnOfB = 64512): AnyResource[] {
  return [
    bgpConfiguration({ asNumber: 64512, nodeToNodeMeshEnabled: false }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    node('b', '192.168.80.101/24', { asNumber: asnOfB }),
    bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', asNumber: asnOfB, ...optionsOfA }),
    bgpPeer('b-a', { node: 'b', peerIP: '192.168.80.100', asNumber: 64512, ...optionsOfB }),
  ];
}

function started(resources: readonly AnyResource[]): SimulatedCluster {
  const cluster = new SimulatedCluster(7);
  cluster.resources = resources;
  for (const name of ['a', 'b']) cluster.start(name);
  cluster.advance(4_000);
  return cluster;
}

function stateAt(cluster: SimulatedCluster, name: string): string {
  return Object.values(cluster.node(name).states()).join();
}

const blocks = (count: number): AnyResource[] =>
  Array.from({ length: count }, (_, index) => affinity('b', `10.244.${index}.0/26`));

test('a peer that tells too much is ended, rests, and comes back when it tells less', () => {
  const maxPrefixes = { limit: 3, restartAfter: '1m' };
  const base = pair({ maxPrefixes });
  const cluster = started([...base, ...blocks(3)]);
  const { kernel, log } = cluster.node('a');
  assert.equal(stateAt(cluster, 'a'), 'Established');
  assert.equal(kernel.routes.size, 3);
  assert.equal(log.filter((line) => line.startsWith('peer has told about')).length, 1);
  cluster.apply([...base, ...blocks(4)]);
  cluster.advance(2_000);
  assert.equal(stateAt(cluster, 'a'), 'Idle');
  assert.equal(kernel.routes.size, 0);
  const [peer] = cluster.node('a').bgp.peers();
  assert.match(peer?.lastError ?? '', /Maximum number of prefixes reached: 4 of 3/);
  cluster.apply([...base, ...blocks(2)]);
  cluster.advance(30_000);
  assert.equal(stateAt(cluster, 'a'), 'Idle');
  cluster.advance(40_000);
  assert.equal(stateAt(cluster, 'a'), 'Established');
  assert.equal(kernel.routes.size, 2);
});

test('a limit that only warns, and one without an end', () => {
  const warned = started([...pair({ maxPrefixes: { limit: 1, action: 'Warn' } }), ...blocks(5)]);
  assert.equal(warned.node('a').kernel.routes.size, 5);
  const base = pair({ maxPrefixes: { limit: 1 } });
  const cluster = started([...base, ...blocks(5)]);
  assert.equal(stateAt(cluster, 'a'), 'Idle');
  cluster.advance(3_600_000);
  assert.equal(stateAt(cluster, 'a'), 'Idle');
  cluster.apply([...pair({ maxPrefixes: { limit: 10 } }), ...blocks(5)]);
  cluster.advance(4_000);
  assert.equal(stateAt(cluster, 'a'), 'Established');
});

test('a peer that delays its OPEN, and two that both do', () => {
  for (const theirs of [{}, { delayOpen: '2s' }]) {
    const cluster = started(pair({ delayOpen: '2s' }, theirs));
    cluster.advance(2_000);
    assert.equal(stateAt(cluster, 'a'), 'Established');
    assert.equal(stateAt(cluster, 'b'), 'Established');
  }
});

test('a peer whose AS number is taken from what it says', () => {
  const external = { asNumber: undefined, remoteAS: 'External', role: 'Peer' };
  const resources = (asn: number): AnyResource[] => [
    ...pair(external, { role: 'Peer' }, asn),
    ...blocks(1),
  ];
  const cluster = started(resources(65_000));
  const { bgp, kernel } = cluster.node('a');
  const peer = () => bgp.peers()[0];
  assert.equal(peer()?.remoteAsn, 65_000);
  assert.ok(peer()?.agreed.includes('AS 65000 by its OPEN'));
  const mark = () => [...bgp.speaker.rib.entries()][0]?.best?.data.attributes.onlyToCustomer;
  assert.equal(mark(), 65_000);
  // Its routes are judged by that number also while it is away.
  cluster.kill('b');
  cluster.advance(1_000);
  const aggregates = [{ cidr: '10.99.0.0/16' }];
  cluster.apply([
    ...resources(65_000).filter(({ kind }) => kind !== 'BGPConfiguration'),
    bgpConfiguration({ asNumber: 64512, nodeToNodeMeshEnabled: false, aggregates }),
  ]);
  cluster.advance(1_000);
  assert.equal(mark(), 65_000);
  cluster.start('b');
  cluster.advance(4_000);
  assert.equal(mark(), 65_000);
  // Another AS is another peer: its routes are not those that were kept for a return.
  cluster.kill('b');
  cluster.advance(1_000);
  assert.equal(kernel.routes.size, 1);
  cluster.resources = resources(65_001).filter(({ kind }) => kind !== 'BlockAffinity');
  cluster.start('b');
  cluster.advance(4_000);
  assert.equal(peer()?.remoteAsn, 65_001);
  assert.equal(kernel.routes.size, 0);
  // Ours is none of them.
  const inside = started(pair({ asNumber: undefined, remoteAS: 'External' }));
  assert.notEqual(stateAt(inside, 'a'), 'Established');
  const errors = ['a', 'b'].map((name) => inside.node(name).bgp.peers()[0]?.lastError ?? '');
  assert.match(errors.join(), /it is ours, and an external peer is configured|Bad peer AS/);
  assert.equal(inside.node('a').bgp.peers()[0]?.remoteAsn, 0);
});

test('roles: the wrong ones do not meet', () => {
  const right = started(pair({ role: 'Provider' }, { role: 'Customer' }, 65000));
  assert.equal(stateAt(right, 'a'), 'Established');
  const wrong = started(pair({ role: 'Provider' }, { role: 'Provider' }, 65000));
  assert.notEqual(stateAt(wrong, 'a'), 'Established');
  const errors = ['a', 'b'].map((name) => wrong.node(name).bgp.peers()[0]?.lastError ?? '');
  assert.match(errors.join(), /Role mismatch|Cannot accept role "provider": we are "provider"/);
});

test('with gracefulNotification, an expired hold timer keeps routes for the restart time', () => {
  const options = { gracefulNotification: true, maxRestartTime: '100s' };
  const cluster = started([...pair(options, options), ...blocks(1)]);
  const { kernel } = cluster.node('a');
  cluster.network.silence(cluster.addressOf('b'));
  cluster.advance(95_000);
  assert.notEqual(stateAt(cluster, 'a'), 'Established');
  assert.equal(kernel.routes.size, 1);
  cluster.advance(100_000);
  assert.equal(kernel.routes.size, 0);
});

test('routes of a peer that is away for long stay as the last resort, then go (RFC 9494)', () => {
  const options = { maxRestartTime: '10s', longLivedRestartTime: '10m' };
  const cluster = started([...pair(options, options), ...blocks(1)]);
  const { kernel, bgp } = cluster.node('a');
  const route = () => [...bgp.speaker.rib.entries()][0]?.best?.data.attributes;
  assert.equal(route()?.localPreference, 2_147_482_623);
  cluster.kill('b');
  cluster.advance(60_000);
  assert.equal(kernel.routes.size, 1);
  assert.deepEqual([route()?.localPreference, route()?.communities], [0, [0xffff_0006]]);
  cluster.start('b');
  cluster.advance(5_000);
  assert.deepEqual([route()?.localPreference, route()?.communities], [2_147_482_623, undefined]);
  cluster.kill('b');
  cluster.advance(600_000);
  assert.equal(kernel.routes.size, 1);
  cluster.advance(20_000);
  assert.equal(kernel.routes.size, 0);
  assert.equal(cluster.clock.pending > 0, true);
});

test('a route that must not stay long goes with the restart time', () => {
  const options = { maxRestartTime: '10s', longLivedRestartTime: '10m' };
  const advertisement = { cidr: '10.244.0.0/26', communities: ['65535:7'] };
  const cluster = started([
    ...pair(options, options).filter(({ kind }) => kind !== 'BGPConfiguration'),
    bgpConfiguration({ nodeToNodeMeshEnabled: false, prefixAdvertisements: [advertisement] }),
    ...blocks(2),
  ]);
  assert.equal(cluster.node('a').kernel.routes.size, 2);
  cluster.kill('b');
  cluster.advance(60_000);
  assert.deepEqual(cluster.node('a').kernel.describe(), ['10.244.1.0/26 via 192.168.80.101']);
});

/** Node a lets in whoever comes from its network; others dial it. */
function hosting(spec: Options, ...guests: number[]): AnyResource[] {
  return [
    bgpConfiguration({ asNumber: 64512, nodeToNodeMeshEnabled: false }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    bgpPeer('range', { node: 'a', peerPrefix: '192.168.80.0/24', asNumber: 65000, ...spec }),
    ...guests.flatMap((octet) => [
      node(`g${octet}`, `192.168.80.${octet}/24`, { asNumber: 65000 }),
      affinity(`g${octet}`, `10.244.${octet}.0/26`),
      bgpPeer(`g${octet}`, { node: `g${octet}`, peerIP: '192.168.80.100', asNumber: 64512 }),
    ]),
  ];
}

test('the way to a peer from a range is followed as long as it is there', () => {
  const cluster = new SimulatedCluster(3);
  // They tell nothing: they are peers, and no next hops.
  cluster.resources = hosting({}, 101, 102).filter(({ kind }) => kind !== 'BlockAffinity');
  for (const name of ['a', 'g101', 'g102']) cluster.start(name);
  cluster.advance(4_000);
  const { bgp, kernel, speaker } = cluster.node('a');
  const address = '192.168.80.101';
  const to = parseAddress(address);
  let asked = 0;
  const resolve = kernel.resolve.bind(kernel);
  kernel.resolve = (...nextHop) => {
    asked += 1;
    return resolve(...nextHop);
  };
  const follow = (): number => {
    asked = 0;
    bgp.kernelChanged({ kind: 'ways', to });
    cluster.advance(100);
    return asked;
  };
  assert.ok(follow() > 0);
  kernel.ways.set(address, undefined);
  follow();
  assert.equal(speaker.peers.get(address)?.live, undefined);
  cluster.kill('g101');
  cluster.advance(400_000);
  assert.deepEqual(Object.keys(cluster.node('a').states()), ['102']);
  assert.equal(follow(), 0);
});

test('peers from a range come, stay while they are there, and are forgotten when they are not', () => {
  const cluster = new SimulatedCluster(3);
  cluster.resources = hosting({ maxPeers: 2 }, 101, 102, 103);
  for (const name of ['a', 'g101', 'g102']) cluster.start(name);
  cluster.advance(4_000);
  assert.deepEqual(cluster.node('a').states(), { 101: 'Established', 102: 'Established' });
  assert.deepEqual(cluster.node('a').kernel.describe(), [
    '10.244.101.0/26 via 192.168.80.101',
    '10.244.102.0/26 via 192.168.80.102',
  ]);
  cluster.start('g103');
  cluster.advance(10_000);
  assert.notEqual(Object.values(cluster.node('g103').states()).join(), 'Established', 'full');
  cluster.advance(300_000);
  cluster.kill('g101');
  cluster.advance(100_000);
  assert.deepEqual(Object.keys(cluster.node('a').states()), ['101', '102'], 'its routes are kept');
  cluster.advance(200_000);
  assert.deepEqual(Object.keys(cluster.node('a').states()).toSorted(), ['102', '103']);
  // The range goes: so do they. A peer of its own takes over without being touched otherwise.
  cluster.apply(cluster.resources.filter(({ metadata }) => metadata.name !== 'range'));
  assert.deepEqual(cluster.node('a').states(), {});
  assert.equal(cluster.node('a').kernel.routes.size, 0);
});

test('a change of the range is a change of those who came from it', () => {
  const cluster = new SimulatedCluster(4);
  cluster.resources = hosting({}, 101);
  for (const name of ['a', 'g101']) cluster.start(name);
  cluster.advance(4_000);
  cluster.apply(hosting({ maxPrefixes: { limit: 5 } }, 101));
  cluster.advance(4_000);
  assert.deepEqual(cluster.node('a').states(), { 101: 'Established' });
  assert.equal(
    cluster.node('a').speaker.peers.get('192.168.80.101')?.config.prefixLimit?.routes,
    5,
  );
});

test('nodes of two member ASs and a router outside: all routes, and the path that each sees', () => {
  const cluster = new SimulatedCluster(9);
  const confederation = { identifier: 64512, members: [65001, 65002] };
  const owned = ['a', 'b', 'c', 'x'].map((name, index) => affinity(name, `10.244.${index}.0/26`));
  cluster.resources = [
    bgpConfiguration({ nodeToNodeMeshEnabled: false, confederation }),
    // Outside: a node that knows of no confederation.
    bgpConfiguration({ confederation: { identifier: 65100, members: [65100] } }, 'node.x'),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24', { asNumber: 65001 }),
    node('b', '192.168.80.101/24', { asNumber: 65001 }),
    node('c', '192.168.80.102/24', { asNumber: 65002 }),
    node('x', '192.168.80.103/24', { asNumber: 65100 }),
    bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', asNumber: 65001 }),
    bgpPeer('b-a', { node: 'b', peerIP: '192.168.80.100', asNumber: 65001 }),
    bgpPeer('b-c', { node: 'b', peerIP: '192.168.80.102', asNumber: 65002 }),
    bgpPeer('c-b', { node: 'c', peerIP: '192.168.80.101', asNumber: 65001 }),
    bgpPeer('c-x', { node: 'c', peerIP: '192.168.80.103', asNumber: 65100 }),
    bgpPeer('x-c', { node: 'x', peerIP: '192.168.80.102', asNumber: 64512 }),
    ...owned,
  ];
  for (const name of ['a', 'b', 'c', 'x']) cluster.start(name);
  cluster.advance(5_000);
  assert.ok(cluster.isConverged());
  const paths = (name: string) =>
    Array.from(cluster.node(name).speaker.rib.entries(), ({ prefix, best }) => {
      const path = formatAsPath(best?.data.attributes.asPath ?? []);
      return `${formatPrefix(prefix)} ${path}`.trim();
    }).toSorted();
  assert.deepEqual(paths('x'), [
    '10.244.0.0/26 64512',
    '10.244.1.0/26 64512',
    '10.244.2.0/26 64512',
    '10.244.3.0/26',
  ]);
  assert.deepEqual(paths('a'), [
    '10.244.0.0/26',
    '10.244.1.0/26',
    '10.244.2.0/26 (65002)',
    '10.244.3.0/26 (65002) 65100',
  ]);
});

test('a reflector that sends all paths, and a client that uses both next hops', () => {
  const cluster = new SimulatedCluster(11);
  const reflected = { peerIP: '192.168.80.100', asNumber: 64512 };
  const clients = ['b', 'c', 'd'];
  cluster.resources = [
    bgpConfiguration({
      nodeToNodeMeshEnabled: false,
      serviceClusterIPs: [],
      serviceExternalIPs: [{ cidr: '203.0.113.0/24' }],
    }),
    pool('10.244.0.0/16'),
    pool('203.0.113.0/24'),
    node('a', '192.168.80.100/24', { routeReflectorClusterID: '1.0.0.1' }),
    ...clients.flatMap((name, index) => {
      const address = `192.168.80.10${index + 1}`;
      return [
        node(name, `${address}/24`),
        bgpPeer(`a-${name}`, { node: 'a', peerIP: address, asNumber: 64512, addPath: 'Both' }),
        bgpPeer(`${name}-a`, { node: name, ...reflected }),
      ];
    }),
    ...[0, 1].map((index) => affinity('d', `10.244.${index}.0/26`)),
  ];
  for (const name of ['a', ...clients]) cluster.start(name);
  cluster.advance(5_000);
  assert.ok(cluster.isConverged());
  const told = cluster.node('d').speaker.rib.get(parsePrefix('203.0.113.0/24'))?.candidates ?? [];
  const from = told.flatMap(({ source, data }) =>
    source.kind === 'peer' ? [formatAddress(data.nextHop)] : [],
  );
  // Each client announces the range by itself, and hears of the other two and the reflector.
  assert.deepEqual(from.toSorted(), ['192.168.80.100', '192.168.80.101', '192.168.80.102']);
  assert.match(cluster.node('d').bgp.peers()[0]?.agreed.join() ?? '', /add-path IPv4 receive/);
  cluster.kill('b');
  cluster.advance(300_000);
  const left = cluster.node('d').speaker.rib.get(parsePrefix('203.0.113.0/24'))?.candidates ?? [];
  assert.equal(left.length, told.length - 1);
});
