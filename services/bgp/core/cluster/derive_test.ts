import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRouterId } from '@calico/bgp-wire';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { type AnyResource, parseStored, routerIdFromName } from '@calico/model';
import {
  affinity,
  bgpConfiguration,
  bgpPeer,
  ipamBlock,
  node,
  pool,
  workload,
} from '../../testing/resources.ts';
import type { PeerConfig } from '../speaker/config.ts';
import { type Derivation, deriveSpeaker } from './derive_speaker.ts';
import { resourcesOf } from './resources.ts';
import { NO_SURROUNDINGS } from './surroundings.ts';

const NODES = [
  node('a', '192.168.80.100/24', {}, { rack: '1' }),
  node('b', '192.168.80.101/24', {}, { rack: '1' }),
  node('c', '192.168.80.102/24', {}, { rack: '2' }),
];

function storedNode(name: string, spec: object = {}): AnyResource {
  const document = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name },
    spec,
  };
  return parseStored('Node', JSON.stringify(document));
}

function derive(name: string, resources: readonly AnyResource[], routerId = ''): Derivation {
  return deriveSpeaker(name, routerId, resourcesOf(resources));
}

function routerIdOf(setting: string): number | undefined {
  return derive('a', NODES, setting).derived?.speaker.local.routerId;
}

function peersOf(name: string, resources: readonly AnyResource[]): PeerConfig[] {
  const { derived, problems } = derive(name, resources);
  assert.deepEqual(problems, []);
  return [...(derived?.speaker.peers.values() ?? [])];
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

test('a peer behind a gateway, with an AS number of ours that is its own', () => {
  const { derived } = derive('a', [
    ...NODES,
    bgpPeer('far', {
      peerIP: '172.16.0.9',
      asNumber: 65000,
      localASNumber: 65100,
      numAllowedLocalASNumbers: 2,
      reachableBy: '192.168.80.1',
    }),
  ]);
  const far = derived?.speaker.peers.get('172.16.0.9');
  assert.deepEqual([far?.policy.localAsn, far?.policy.allowedOwnAs], [65100, 2]);
  assert.deepEqual(
    derived?.statics.map(({ address, gateway }) => [address, gateway].map(formatAddress)),
    [['172.16.0.9', '192.168.80.1']],
  );
});

test('a password is a secret, which its peers wait for; the mesh has one of its own', () => {
  const secretKeyRef = { name: 'bgp', key: 'tor' };
  const resources = [
    ...NODES,
    bgpPeer('tor', { peerIP: '192.168.80.9', asNumber: 65000, password: { secretKeyRef } }),
  ];
  const { derived, problems } = derive('a', resources);
  assert.deepEqual(problems, ['Cannot use BGPPeer "tor": secret "bgp" has no key "tor" yet']);
  assert.equal(derived?.speaker.peers.size, 2);
  const known = deriveSpeaker('a', '', resourcesOf(resources), {
    ...NO_SURROUNDINGS,
    secrets: ({ key }) => key.length,
  });
  assert.deepEqual(known.problems, []);
  const peers = known.derived?.speaker.peers;
  assert.deepEqual(peers?.get('192.168.80.9')?.socket.password, { ...secretKeyRef, version: 3 });
  assert.equal(peers?.get('192.168.80.101')?.socket.password, undefined);
  const nodeMeshPassword = { secretKeyRef: { name: 'bgp', key: 'mesh' } };
  const mesh = derive('a', [...resources, bgpConfiguration({ nodeMeshPassword })]);
  assert.match(mesh.problems.join(), /Cannot peer in the mesh: secret "bgp" has no key "mesh" yet/);
  assert.equal(mesh.derived?.speaker.peers.size, 0, 'none rather than one without a password');
});

test('TTLs, passive peers and hold times', () => {
  const resources = [
    ...NODES,
    bgpPeer('near', { peerIP: '192.168.80.7', asNumber: 65000, ttlSecurity: 1, passive: true }),
    bgpPeer('far', { peerIP: '172.16.0.9', asNumber: 65000, multihop: 3, holdTime: '0s' }),
  ];
  const [near, far, mesh] = ['192.168.80.7', '172.16.0.9', '192.168.80.101'].map((key) => {
    const peer = derive('a', resources).derived?.speaker.peers.get(key);
    const { ttl, minimumTtl } = peer?.socket ?? {};
    return [ttl, minimumTtl, peer?.session.isPassive, peer?.session.holdTimeSeconds];
  });
  assert.deepEqual(near, [255, 255, true, 90]);
  assert.deepEqual(far, [3, undefined, false, 0]);
  assert.deepEqual(mesh, [undefined, undefined, false, 90]);
});

test('families of a session, whatever it runs over', () => {
  const resources = [
    ...NODES,
    bgpPeer('four', { peerIP: '192.168.80.7', asNumber: 65000, addressFamilies: ['IPv6'] }),
    bgpPeer('six', { peerIP: 'fd00::7', asNumber: 65000, addressFamilies: ['IPv6', 'IPv4'] }),
    bgpPeer('off', {
      peerIP: 'fd00::8',
      asNumber: 65000,
      addressFamilies: ['IPv4'],
      extendedNextHop: false,
    }),
  ];
  const sessions = ['192.168.80.7', 'fd00::7', 'fd00::8', '192.168.80.101'].map((key) => {
    const session = derive('a', resources).derived?.speaker.peers.get(key)?.session;
    return [session?.families, session?.extendedNextHop];
  });
  assert.deepEqual(sessions, [
    [[6], false],
    [[4, 6], true],
    [[4], false],
    [[4], false],
  ]);
});

test('roles of external peers, delay open, and how long routes are kept', () => {
  const options = {
    role: 'Customer',
    roleStrict: true,
    delayOpen: '5s',
    gracefulNotification: true,
    longLivedRestartTime: '1h',
  };
  const resources = [
    ...NODES,
    bgpPeer('outside', { peerIP: '192.168.80.7', asNumber: 65000, ...options }),
    bgpPeer('inside', { peerIP: '192.168.80.8', asNumber: 64512, ...options }),
  ];
  const { peers } = derive('a', resources).derived?.speaker ?? {};
  const outside = peers?.get('192.168.80.7')?.session;
  assert.deepEqual(
    [outside?.role, outside?.isRoleStrict, outside?.delayOpenMs],
    ['customer', true, 5_000],
  );
  assert.deepEqual([outside?.keepsOnNotification, outside?.longLivedSeconds], [true, 3_600]);
  assert.equal(peers?.get('192.168.80.8')?.session.role, undefined);
  const plain = peers?.get('192.168.80.101')?.session;
  assert.deepEqual([plain?.keepsOnNotification, plain?.longLivedSeconds], [false, 0]);
});

test('a link-local peer waits for its interface, and is told our address there', () => {
  const resources = [
    ...NODES,
    bgpPeer('leaf', {
      peerIP: 'fe80::1%eth1',
      asNumber: 65000,
      addressFamilies: ['IPv4', 'IPv6'],
    }),
  ];
  assert.deepEqual(derive('a', resources).problems, [
    'Cannot use BGPPeer "leaf": interface "eth1" is not up or has no link-local address yet',
  ]);
  const { derived } = deriveSpeaker('a', '', resourcesOf(resources), {
    ...NO_SURROUNDINGS,
    linkLocalAddress: (name) => (name === 'eth1' ? parseAddress('fe80::a') : undefined),
  });
  const leaf = derived?.speaker.peers.get('fe80::1%eth1');
  assert.equal(leaf?.interface, 'eth1');
  assert.equal(leaf?.sourceAddress, undefined);
  assert.equal(leaf?.session.extendedNextHop, true);
  assert.deepEqual(leaf?.policy.linkLocal, parseAddress('fe80::a'));
});

test('who is at the far end of a link is a peer as soon as it is known', () => {
  const resources = [
    ...NODES,
    bgpPeer('leaf', { peerInterface: 'eth1', asNumber: 65000, bfd: { enabled: true } }),
  ];
  const surroundings = { ...NO_SURROUNDINGS, linkLocalAddress: () => parseAddress('fe80::a') };
  const waiting = deriveSpeaker('a', '', resourcesOf(resources), surroundings);
  assert.deepEqual(waiting.problems, [
    'Cannot use BGPPeer "leaf": nobody has advertised itself on interface "eth1" yet',
  ]);
  assert.deepEqual(waiting.derived?.speaker.links, ['eth1']);
  const { derived } = deriveSpeaker('a', '', resourcesOf(resources), {
    ...surroundings,
    neighbourOn: () => parseAddress('fe80::7'),
  });
  const leaf = derived?.speaker.peers.get('fe80::7%eth1');
  assert.equal(leaf?.interface, 'eth1');
  assert.deepEqual(leaf?.session.families, [4, 6]);
  assert.equal(leaf?.bfd?.settings.isMultihop, false);
  assert.equal(leaf?.session.extendedNextHop, true);
});

test('who cannot be spoken to yet is awaited, and spoken to in no other way', () => {
  const password = { secretKeyRef: { name: 'bgp', key: 'b' } };
  const resources = [
    ...NODES,
    bgpPeer('b', { peerIP: '192.168.80.101', asNumber: 64512, password }),
    bgpPeer('leaf', { peerIP: 'fe80::1%eth1', asNumber: 65000 }),
    bgpPeer('far', { peerInterface: 'eth2', asNumber: 65000 }),
    bgpPeer('signed', { peerPrefix: '10.0.0.0/24', asNumber: 65000, password }),
  ];
  const { derived, problems } = derive('a', resources);
  assert.deepEqual(derived?.speaker.awaited, [
    { prefix: parsePrefix('192.168.80.101/32'), interface: undefined },
    { prefix: undefined, interface: 'eth2' },
    { prefix: parsePrefix('fe80::1/128'), interface: 'eth1' },
    { prefix: parsePrefix('10.0.0.0/24'), interface: undefined },
  ]);
  assert.equal(derived?.speaker.peers.has('192.168.80.101'), false);
  assert.deepEqual(problems, [
    'Cannot use BGPPeer "b": secret "bgp" has no key "b" yet',
    'Cannot use BGPPeer "far": interface "eth2" is not up or has no link-local address yet',
    'Cannot use BGPPeer "leaf": interface "eth1" is not up or has no link-local address yet',
    'Cannot use BGPPeer "signed": secret "bgp" has no key "b" yet',
  ]);
  assert.deepEqual(derived?.speaker.ranges, []);
});

test('of two ranges that are the same one that of the node is used, as with two of one address', () => {
  const password = { secretKeyRef: { name: 'bgp', key: 'b' } };
  const peerPrefix = '10.0.0.0/24';
  const rangesOf = (first: object, second: object): readonly (number | object | undefined)[] => {
    const { derived } = derive('a', [
      ...NODES,
      bgpPeer('x-everywhere', { peerPrefix, asNumber: 65001, ...first }),
      bgpPeer('a-here', { node: 'a', peerPrefix, asNumber: 65002, ...second }),
    ]);
    const { ranges = [], awaited = [] } = derived?.speaker ?? {};
    assert.ok(ranges.every(({ template }) => template.isPassing));
    return [ranges.map(({ template }) => template.session.remoteAsn), awaited.length];
  };
  assert.deepEqual(rangesOf({}, {}), [[65002], 0]);
  assert.deepEqual(rangesOf({ password }, {}), [[65002], 0], 'what it waits for matters no more');
  assert.deepEqual(rangesOf({}, { password }), [[], 1]);
});

test('all of a mesh without its password are awaited, which is said once', () => {
  const nodeMeshPassword = { secretKeyRef: { name: 'bgp', key: 'mesh' } };
  const resources = [...NODES, bgpConfiguration({ nodeMeshPassword })];
  const { derived, problems } = derive('a', resources);
  assert.equal(derived?.speaker.peers.size, 0);
  assert.equal(derived?.speaker.awaited?.length, peersOf('a', [...NODES]).length);
  assert.deepEqual(problems, ['Cannot peer in the mesh: secret "bgp" has no key "mesh" yet']);
});

/** Whom a peer is taken for: its AS number, ours, and whether it is internal. */
function takenFor(spec: object): unknown[] {
  const resources = [...NODES, bgpPeer('leaf', { peerIP: '192.168.80.7', ...spec })];
  const { session, policy } =
    derive('a', resources).derived?.speaker.peers.get('192.168.80.7') ?? {};
  return [session?.remoteAsn, session?.localAsn, policy?.isInternal];
}

test('a peer by any AS number but ours, and by ours', () => {
  assert.deepEqual(takenFor({ remoteAS: 'External' }), [{ anyBut: [64512, 64512] }, 64512, false]);
  assert.deepEqual(takenFor({ remoteAS: 'Internal' }), [64512, 64512, true]);
  const local = { localASNumber: 65100 };
  assert.deepEqual(takenFor({ remoteAS: 'External', ...local })[0], { anyBut: [65100, 64512] });
  assert.deepEqual(takenFor({ remoteAS: 'Internal', ...local }), [65100, 65100, true]);
});

test('an external peer of a confederation is none of its members', () => {
  const resources = [
    ...NODES,
    bgpConfiguration({ asNumber: 65001, confederation: { identifier: 100, members: [65002] } }),
    bgpPeer('leaf', { peerIP: '192.168.80.7', remoteAS: 'External' }),
  ];
  const leaf = derive('a', resources).derived?.speaker.peers.get('192.168.80.7')?.session;
  assert.equal(leaf?.localAsn, 100);
  assert.deepEqual(leaf?.remoteAsn, { anyBut: [100, 65001, 65002, 100] });
});

test('workloads of this node as peers: passive, from wherever the kernel sends', () => {
  const resources = [
    ...NODES,
    bgpConfiguration({ nodeToNodeMeshEnabled: false }),
    workload('router', 'a', '10.244.1.7'),
    workload('web', 'a', '10.244.1.8'),
    bgpPeer('routers', { localWorkloadSelector: 'app == "router"', asNumber: 65010 }),
  ];
  const [peer, ...more] = peersOf('a', resources);
  assert.deepEqual([peer?.key, peer?.session.isPassive, more.length], ['10.244.1.7', true, 0]);
  assert.equal(peer?.sourceAddress, undefined);
  assert.equal(peer?.policy.isInternal, false);
  assert.equal(peer?.isPassing, true);
});

test('workloads as peers find the node at localWorkloadPeeringIPV4', () => {
  const selecting = bgpPeer('routers', { localWorkloadSelector: 'all()', asNumber: 65010 });
  const ownAddressOf = (address: string, spec: Readonly<Record<string, unknown>>) => {
    const mesh = { nodeToNodeMeshEnabled: false, ...spec };
    const resources = [...NODES, bgpConfiguration(mesh), workload('r', 'a', address), selecting];
    const [peer] = peersOf('a', resources);
    assert.deepEqual(peer?.sourceAddress, peer?.policy.ownAddress);
    return peer?.policy.ownAddress && formatAddress(peer.policy.ownAddress);
  };
  const spec = { localWorkloadPeeringIPV4: '169.254.0.179' };
  assert.equal(ownAddressOf('10.244.1.7', spec), '169.254.0.179');
  assert.equal(ownAddressOf('10.244.1.7', { localWorkloadPeeringIPV6: 'fd00::179' }), undefined);
});
