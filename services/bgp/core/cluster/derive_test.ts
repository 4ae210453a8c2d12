import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRouterId } from '@calico/bgp-wire';
import { formatPrefix, parsePrefix } from '@calico/ip';
import { type AnyResource, parseStored, routerIdFromName } from '@calico/model';
import { derive, NODES, peersOf } from '../../testing/derivation.ts';
import {
  affinity,
  bgpConfiguration,
  bgpPeer,
  ipamBlock,
  node,
  pool,
} from '../../testing/resources.ts';
import { deriveSpeaker } from './derive_speaker.ts';
import { resourcesOf } from './resources.ts';
import { NO_SURROUNDINGS } from './surroundings.ts';

function storedNode(name: string, spec: object = {}): AnyResource {
  const document = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name },
    spec,
  };
  return parseStored('Node', JSON.stringify(document));
}

function routerIdOf(setting: string): number | undefined {
  return derive('a', NODES, setting).derived?.speaker.local.routerId;
}

function summary(name: string, resources: readonly AnyResource[]): string[] {
  return peersOf(name, resources)
    .map(
      ({ key, type, remoteNode, session }) =>
        `${key} ${type} ${JSON.stringify(session.remoteAsn)} ${remoteNode}`,
    )
    .toSorted();
}

test('without any configuration there is a mesh in AS 64512', () => {
  assert.deepEqual(summary('a', NODES), [
    '192.168.80.101 mesh 64512 b',
    '192.168.80.102 mesh 64512 c',
  ]);
});

test('the mesh can be turned off, leaves reflectors out, and is left by them', () => {
  assert.deepEqual(
    summary('a', [...NODES, bgpConfiguration({ nodeToNodeMeshEnabled: false })]),
    [],
  );
  const reflector = node('r', '192.168.80.110/24', { routeReflectorClusterID: '1.0.0.1' });
  assert.deepEqual(summary('a', [...NODES, reflector]), [
    '192.168.80.101 mesh 64512 b',
    '192.168.80.102 mesh 64512 c',
  ]);
  assert.deepEqual(summary('r', [...NODES, reflector]), []);
});

test('AS number and port of a node come from its own resources', () => {
  const resources = [
    ...NODES,
    node('d', '192.168.80.103/24', { asNumber: 65001 }),
    bgpConfiguration({ asNumber: 64600, listenPort: 179 }),
    bgpConfiguration({ listenPort: 1790 }, 'node.d'),
  ];
  assert.deepEqual(summary('a', resources), [
    '192.168.80.101 mesh 64600 b',
    '192.168.80.102 mesh 64600 c',
    '192.168.80.103:1790 mesh 65001 d',
  ]);
  assert.equal(derive('d', resources).derived?.speaker.listenPort, 1790);
  const d = peersOf('a', resources).find(({ remoteNode }) => remoteNode === 'd');
  assert.equal(d?.policy.isInternal, false);
});

test('a peerIP without a port means where that node listens', () => {
  const resources = [
    ...NODES,
    bgpConfiguration({ listenPort: 1790 }, 'node.b'),
    bgpPeer('to-b', { peerIP: '192.168.80.101', asNumber: 64512, node: 'a' }),
    bgpPeer('beside-c', { peerIP: '192.168.80.102:1179', asNumber: 64513, node: 'a' }),
  ];
  assert.deepEqual(summary('a', resources), [
    '192.168.80.101:1790 node 64512 b',
    '192.168.80.102 mesh 64512 c',
    '192.168.80.102:1179 node 64513 c',
  ]);
});

test('BGPPeer: global, of one node, by selector; the explicit one wins over the mesh', () => {
  const resources = [
    ...NODES,
    bgpPeer('tor', { peerIP: '192.168.80.1', asNumber: 65000 }),
    bgpPeer('only-a', { node: 'a', peerIP: '192.168.80.2:1790', asNumber: 65000 }),
    bgpPeer('rack-1', { nodeSelector: 'rack == "1"', peerIP: '192.168.80.3', asNumber: 65000 }),
    bgpPeer('again', { node: 'a', peerIP: '192.168.80.101', asNumber: 64512, keepaliveTime: '5s' }),
  ];
  assert.deepEqual(
    summary('a', resources),
    [
      '192.168.80.101 node 64512 b',
      '192.168.80.102 mesh 64512 c',
      '192.168.80.1 global 65000 undefined',
      '192.168.80.2:1790 node 65000 undefined',
      '192.168.80.3 node 65000 undefined',
    ].toSorted(),
  );
  const b = peersOf('a', resources).find(({ remoteNode }) => remoteNode === 'b');
  assert.equal(b?.session.keepaliveSeconds, 5);
  assert.deepEqual(summary('c', resources), [
    '192.168.80.1 global 65000 undefined',
    '192.168.80.100 mesh 64512 a',
    '192.168.80.101 mesh 64512 b',
  ]);
});

test('BGPPeers that say different things of one peer are named, and those that agree are not', () => {
  const peerIP = '10.0.0.9';
  const { derived, problems } = derive('a', [
    ...NODES,
    bgpPeer('one', { peerIP, asNumber: 65_001 }),
    bgpPeer('same', { peerIP, asNumber: 65_001 }),
    bgpPeer('two', { peerIP, asNumber: 65_002 }),
    // More explicit: that is what it is for.
    bgpPeer('mine', { peerIP, asNumber: 65_003, node: 'a' }),
  ]);
  assert.deepEqual(problems, [
    'Peer "10.0.0.9": BGPPeer "same" and "two" say different things of it, "two" is used',
  ]);
  assert.equal(derived?.speaker.peers.get('10.0.0.9')?.session.remoteAsn, 65_003);
});

test('route reflectors by selectors: both ends get the session, the reflector has clients', () => {
  const labels = { 'route-reflector': 'true' };
  const resources = [
    ...NODES,
    node('r1', '192.168.80.110/24', { routeReflectorClusterID: '1.0.0.1' }, labels),
    node('r2', '192.168.80.111/24', { routeReflectorClusterID: '1.0.0.1' }, labels),
    bgpConfiguration({ nodeToNodeMeshEnabled: false }),
    bgpPeer('reflectors', { nodeSelector: 'all()', peerSelector: 'has(route-reflector)' }),
  ];
  assert.deepEqual(summary('a', resources), [
    '192.168.80.110 node 64512 r1',
    '192.168.80.111 node 64512 r2',
  ]);
  assert.deepEqual(summary('r1', resources), [
    '192.168.80.100 node 64512 a',
    '192.168.80.101 node 64512 b',
    '192.168.80.102 node 64512 c',
    '192.168.80.111 node 64512 r2',
  ]);
  const clients = peersOf('r1', resources)
    .filter(({ policy }) => policy.isReflectorClient)
    .map(({ remoteNode }) => remoteNode);
  assert.deepEqual(clients, ['a', 'b', 'c'], 'a reflector of the same cluster is none');
});

test('reversePeering Manual generates one end only', () => {
  const resources = [
    ...NODES,
    bgpConfiguration({ nodeToNodeMeshEnabled: false }),
    bgpPeer('to-c', { node: 'a', peerSelector: 'rack == "2"', reversePeering: 'Manual' }),
  ];
  assert.deepEqual(summary('a', resources), ['192.168.80.102 node 64512 c']);
  assert.deepEqual(summary('c', resources), []);
});

test('IPv6 addresses get sessions of their own', () => {
  const resources = [
    node('a', '192.168.80.100/24', { ipv6Address: 'fd00::100/64' }),
    node('b', '192.168.80.101/24', { ipv6Address: 'fd00::101/64' }),
    node('c', '192.168.80.102/24'),
  ];
  assert.deepEqual(
    peersOf('a', resources).map(({ key, session }) => [key, session.families]),
    [
      ['192.168.80.101', [4]],
      ['fd00::101', [6]],
      ['192.168.80.102', [4]],
    ],
  );
});

test('own routes: confirmed blocks and borrowed addresses', () => {
  const resources = [
    ...NODES,
    pool('10.244.0.0/16'),
    affinity('a', '10.244.1.0/26'),
    affinity('a', '10.244.2.0/26', 'pending'),
    affinity('a', '10.244.3.0/26', 'pendingDeletion'),
    affinity('b', '10.244.4.0/26'),
    ipamBlock('10.244.1.0/26', 'a', { 0: 'a', 1: 'b' }),
    ipamBlock('10.244.4.0/26', 'b', { 0: 'b', 5: 'a', 63: 'a' }),
  ];
  const { derived } = derive('a', resources);
  assert.deepEqual(
    derived?.speaker.ownRoutes.map(({ prefix, kind }) => `${kind} ${formatPrefix(prefix)}`),
    ['block 10.244.1.0/26', 'borrowed 10.244.4.5/32', 'borrowed 10.244.4.63/32'],
  );
});

test('the router id is the address, the hash of the name, or what is configured', () => {
  assert.equal(routerIdOf(''), 0xc0a85064);
  assert.equal(routerIdOf('1.2.3.4'), 0x01020304);
  assert.equal(routerIdOf('hash'), parseRouterId(routerIdFromName('a')));
});

test('what is missing or broken is said, and costs nothing else', () => {
  assert.deepEqual(derive('x', NODES).problems, ['Node "x" does not exist yet']);
  assert.match(
    derive('n', [storedNode('n')]).problems.join(),
    /Node "n" has neither spec.bgp.ipv4Address nor/,
  );
  const filtered = derive('a', [
    ...NODES,
    bgpPeer('filtered', {
      peerIP: '192.168.80.9',
      asNumber: 65000,
      filters: ['f'],
    }),
  ]);
  assert.deepEqual(filtered.problems, [
    'Peer "192.168.80.9": BGPFilter "f" does not exist or cannot be used: no route passes it',
  ]);
});

test('ranges of services are announced, but not by nodes that are excluded', () => {
  const resources = [
    ...NODES,
    node(
      'x',
      '192.168.80.9/24',
      {},
      { 'node.kubernetes.io/exclude-from-external-load-balancers': '' },
    ),
    bgpConfiguration({
      serviceClusterIPs: [{ cidr: '10.96.0.0/12' }],
      serviceExternalIPs: [{ cidr: '203.0.113.0/24' }, { cidr: '198.51.100.1/32' }],
      serviceLoadBalancerIPs: [{ cidr: '198.18.0.0/24' }],
      serviceLoadBalancerAggregation: 'Disabled',
    }),
  ];
  const own = (name: string) =>
    derive(name, resources).derived?.speaker.ownRoutes.map(
      ({ prefix, kind }) => `${kind} ${formatPrefix(prefix)}`,
    );
  assert.deepEqual(own('a'), ['service 10.96.0.0/12', 'service 203.0.113.0/24']);
  assert.deepEqual(own('x'), []);
  assert.equal(derive('x', resources).derived?.services.length, 4);
  const { derived } = deriveSpeaker('a', '', resourcesOf(resources), {
    ...NO_SURROUNDINGS,
    serviceClusterIPs: [parsePrefix('10.96.0.0/12'), parsePrefix('fd00:96::/108')],
  });
  assert.deepEqual(
    derived?.speaker.ownRoutes.map(({ prefix }) => formatPrefix(prefix)),
    ['10.96.0.0/12', '203.0.113.0/24', 'fd00:96::/108'],
  );
  assert.equal(derived?.serviceRules.ranges.cluster.length, 3);
});

test('endpoints are on this node by the name that Kubernetes has for it', () => {
  const bgp = { ipv4Address: '192.168.80.7/24' };
  const nameOf = (orchRefs: object[]) =>
    derive('k', [storedNode('k', { bgp, orchRefs })]).derived?.serviceRules.node;
  assert.equal(nameOf([]), 'k');
  assert.equal(nameOf([{ orchestrator: 'k8s', nodeName: 'k.example' }]), 'k.example');
  assert.equal(nameOf([{ orchestrator: 'k8s', nodeName: '' }]), 'k');
});

test('programClusterRoutes: both when unset, and pools that nobody serves are named', () => {
  const pools = [pool('10.1.0.0/16'), pool('10.2.0.0/16', { ipipMode: 'Always' })];
  assert.deepEqual(derive('a', [...NODES, ...pools]).problems, []);
  const of = (programClusterRoutes: string) =>
    derive('a', [...NODES, ...pools, bgpConfiguration({ programClusterRoutes })]).problems;
  assert.equal(of('Enabled').length, 0);
  assert.equal(of('Disabled').length, 2);
  assert.match(of('EnabledNoEncapOnly').join(), /^Pool "pool-10-2-0-0-16" gets no routes/);
  assert.match(of('EnabledIPIPOnly').join(), /^Pool "pool-10-1-0-0-16" gets no routes/);
});

test('the preference of own routes follows from the configured priority', () => {
  const resources = [...NODES, affinity('a', '10.244.1.0/26')];
  const preference = (more: readonly AnyResource[]) =>
    derive('a', [...resources, ...more]).derived?.speaker.ownRoutes[0]?.localPreference;
  assert.equal(preference([]), 2_147_482_623);
  assert.equal(preference([bgpConfiguration({ ipv4NormalRoutePriority: 7 })]), 2_147_483_640);
});
