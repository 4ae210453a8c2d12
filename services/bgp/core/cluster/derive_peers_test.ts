import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import { derive, NODES, peersOf } from '../../testing/derivation.ts';
import { bgpConfiguration, bgpPeer, workload } from '../../testing/resources.ts';
import { deriveSpeaker } from './derive_speaker.ts';
import { resourcesOf } from './resources.ts';
import { NO_SURROUNDINGS } from './surroundings.ts';

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
