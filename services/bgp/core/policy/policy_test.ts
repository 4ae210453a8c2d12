import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AsPath, Community, formatAsPath, type Role } from '@calico/bgp-wire';
import { formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import type { BGPFilter } from '@calico/model';
import { type PathFields, path, sequence } from '../../testing/paths.ts';
import { bgpFilter } from '../../testing/resources.ts';
import { FilterLibrary } from '../cluster/derive_filters.ts';
import type { Path } from '../rib/path.ts';
import { ExportPolicy } from './export_policy.ts';
import { ImportPolicy, importRefusal } from './import_policy.ts';
import { NO_FILTERS } from './route_filter.ts';
import type { LocalPolicy, PeerPolicy } from './types.ts';

const LOCAL: LocalPolicy = {
  asn: 64512,
  routerId: 0xc0a85064,
  address: { 4: parseAddress('192.168.80.100'), 6: undefined },
  subnet: { 4: parsePrefix('192.168.80.0/24'), 6: undefined },
  clusterId: undefined,
  pools: [
    { prefix: parsePrefix('10.244.0.0/16'), isEnabled: true, isExported: true },
    { prefix: parsePrefix('10.245.0.0/16'), isEnabled: true, isExported: false },
    { prefix: parsePrefix('10.246.0.0/16'), isEnabled: false, isExported: true },
  ],
  advertisements: [],
  serviceRanges: [],
};
const REFLECTOR: LocalPolicy = { ...LOCAL, clusterId: 0x0a000001 };
const LARGE = { global: 64512, local1: 1, local2: 2 };
const INTERNAL: PeerPolicy = {
  address: parseAddress('192.168.80.102'),
  isInternal: true,
  isReflectorClient: false,
  nextHopMode: 'Auto',
  localAsn: 64512,
  allowedOwnAs: 0,
  filters: NO_FILTERS,
};
const EXTERNAL: PeerPolicy = { ...INTERNAL, isInternal: false };

function exported(route: Path, peer = INTERNAL, local = LOCAL) {
  const outcome = new ExportPolicy(local).export(route, '192.168.80.102', peer);
  if (outcome.kind === 'rejected') return outcome.reason;
  const { attributes, nextHop } = outcome.data;
  const { asPath = [], unknown, ...rest } = attributes;
  return {
    ...rest,
    asPath: formatAsPath(asPath),
    nextHop: formatAddress(nextHop),
    ...(unknown === undefined ? {} : { unknown: unknown.map(({ flags }) => flags) }),
  };
}

function extendedTo(peer: PeerPolicy, extendedCommunities: readonly bigint[]) {
  const outcome = exported(path({ isInternal: false, extendedCommunities }), peer);
  return typeof outcome === 'string' ? outcome : outcome.extendedCommunities;
}

function throughMember(asPath: AsPath): AsPath {
  return [{ kind: 'confed-sequence', asns: [65002] }, ...asPath];
}

function nextHopFor(peer: PeerPolicy): string {
  const outcome = exported(path({}), peer);
  return typeof outcome === 'string' ? outcome : outcome.nextHop;
}

function refusal(fields: PathFields, peer = INTERNAL): string | undefined {
  return importRefusal(path(fields).data, peer, REFLECTOR);
}

/** An external peer to which this node is what the role says. */
function to(role: Role): PeerPolicy {
  return { ...EXTERNAL, role: { own: role, remoteAsn: 65000 } };
}

function pathTo(peer: PeerPolicy): string {
  const outcome = exported(path({ isInternal: false, asPath: sequence(7) }), peer);
  return typeof outcome === 'string' ? outcome : outcome.asPath;
}

function own(prefix: string): Path {
  return path({ from: 'local', prefix });
}

function marked(community: number): Path {
  return path({ communities: [community] });
}

test('an own block goes to internal peers with this node as next hop', () => {
  assert.deepEqual(exported(path({ from: 'local' })), {
    origin: 0,
    asPath: '',
    localPreference: 100,
    nextHop: '192.168.80.100',
  });
});

test('an own block goes to external peers with the own AS and without local preference', () => {
  assert.deepEqual(exported(path({ from: 'local' }), EXTERNAL), {
    origin: 0,
    asPath: '64512',
    nextHop: '192.168.80.100',
  });
});

test('the AS number behind the one that a peer knows is shown to it where that is asked for', () => {
  const peer = { ...EXTERNAL, localAsn: 65_100 };
  assert.equal(pathTo(peer), '65100 7');
  assert.equal(pathTo({ ...peer, shownAsn: 64_512 }), '65100 64512 7');
});

test('a peer that is shown two AS numbers tells a loop with either, and is told them in front', () => {
  const peer: PeerPolicy = {
    ...EXTERNAL,
    localAsn: 65_100,
    shownAsn: 64_512,
    prependsReceived: true,
  };
  const importing = new ImportPolicy(LOCAL);
  const { prefix, data } = path({ isInternal: false, asPath: sequence(7) });
  const outcome = importing.import(prefix, data, peer);
  assert.equal(outcome.kind, 'accepted');
  assert.equal(
    outcome.kind === 'accepted' ? formatAsPath(outcome.data.attributes.asPath ?? []) : '',
    '65100 7',
  );
  for (const asn of [65_100, 64_512]) {
    const refused = importRefusal(path({ asPath: sequence(7, asn) }).data, peer, LOCAL);
    assert.match(refused ?? '', /own AS number/);
  }
  const quiet = { ...EXTERNAL, localAsn: 65_100 };
  assert.equal(importRefusal(path({ asPath: sequence(7, 64_512) }).data, quiet, LOCAL), undefined);
});

test('what an internal peer told goes to external peers only', () => {
  const route = path({ localPreference: 50, multiExitDiscriminator: 3, originatorId: 1 });
  assert.equal(exported(route), 'internal routes are not told to internal peers');
  assert.deepEqual(exported(route, EXTERNAL), {
    origin: 0,
    asPath: '64512',
    nextHop: '192.168.80.101',
  });
});

test('nobody is told what it told', () => {
  assert.equal(exported(path({ from: '192.168.80.102' })), 'learned from this peer');
});

test('the next hop to an external peer is this node when the network is not shared', () => {
  const far = { ...EXTERNAL, address: parseAddress('172.16.0.1') };
  assert.equal(nextHopFor(far), '192.168.80.100');
  assert.equal(nextHopFor({ ...far, nextHopMode: 'Keep' }), '192.168.80.101');
  assert.equal(nextHopFor({ ...EXTERNAL, nextHopMode: 'Self' }), '192.168.80.100');
});

test('IPv4 routes with IPv6 next hops, where the session has agreed on them', () => {
  const address = { ...LOCAL.address, 6: parseAddress('fd00::100') };
  const plain = LOCAL;
  const dual: LocalPolicy = { ...LOCAL, address };
  const extended = { ...EXTERNAL, extendedNextHop: true };
  const nextHop = (route: Path, peer: PeerPolicy, local = dual) => {
    const outcome = exported(route, peer, local);
    return typeof outcome === 'string' ? outcome : outcome.nextHop;
  };
  const block = path({ from: 'local' });
  assert.equal(nextHop(block, extended), 'fd00::100');
  assert.equal(nextHop(block, EXTERNAL), '192.168.80.100');
  assert.equal(nextHop(block, extended, plain), '192.168.80.100');
  const learned = path({ from: 'fd00::101', isInternal: false });
  assert.equal(nextHop(learned, { ...INTERNAL, extendedNextHop: true }), 'fd00::101');
  assert.equal(nextHop(learned, INTERNAL), '192.168.80.100', 'ours: the peer takes no other');
  const six = path({ from: 'local', prefix: 'fd00:10::/64' });
  assert.equal(nextHop(six, extended), 'fd00::100');
  assert.match(nextHop(six, EXTERNAL, plain), /no address to be the next hop/);
});

test('extended communities that are not transitive stay in the AS (RFC 4360 section 6)', () => {
  const [stays, leaves] = [0x4004_fde8_0000_0007n, 0x0002_fde8_0000_0007n];
  assert.deepEqual(extendedTo(EXTERNAL, [stays, leaves]), [leaves]);
  assert.equal(extendedTo(EXTERNAL, [stays]), undefined);
  assert.deepEqual(extendedTo(INTERNAL, [stays, leaves]), [stays, leaves]);
});

test('between link-local addresses this node is the next hop by its own, and nobody else learns it', () => {
  const linkLocal = parseAddress('fe80::a');
  const onLink: PeerPolicy = { ...EXTERNAL, extendedNextHop: true, linkLocal };
  const four = exported(path({ from: 'local' }), onLink);
  assert.equal(typeof four === 'string' ? four : four.nextHop, 'fe80::a');
  const heard = path({ from: 'fe80::1', isInternal: false });
  const outcome = exported(heard);
  assert.equal(typeof outcome === 'string' ? outcome : outcome.nextHop, '192.168.80.100');
  const six = exported(path({ from: 'local', prefix: 'fd00:10::/64' }), onLink);
  assert.equal(typeof six === 'string' ? six : six.nextHop, 'fe80::a');
});

test('a confederation: members see each other, the outside sees one AS', () => {
  const local = { ...LOCAL, asn: 65001, confederation: 64512 };
  const member: PeerPolicy = { ...EXTERNAL, isMember: true, localAsn: 65001 };
  const inside: PeerPolicy = { ...INTERNAL, localAsn: 65001 };
  const outside: PeerPolicy = { ...EXTERNAL, localAsn: 64512 };
  const route = path({
    isInternal: false,
    localPreference: 50,
    multiExitDiscriminator: 3,
    originatorId: 9,
    asPath: [
      { kind: 'confed-sequence', asns: [65002] },
      { kind: 'sequence', asns: [65100] },
    ],
  });
  const inherited = { origin: 0, multiExitDiscriminator: 3, localPreference: 50 };
  assert.deepEqual(exported(route, member, local), {
    ...inherited,
    asPath: '(65001 65002) 65100',
    nextHop: '192.168.80.101',
  });
  assert.deepEqual(exported(route, inside, local), {
    ...inherited,
    originatorId: 9,
    asPath: '(65002) 65100',
    nextHop: '192.168.80.101',
  });
  assert.deepEqual(exported(route, outside, local), {
    origin: 0,
    asPath: '64512 65100',
    nextHop: '192.168.80.101',
  });
  assert.ok(typeof exported(marked(Community.NoExport), member, local) !== 'string');
  assert.equal(exported(marked(Community.NoExportSubconfed), member, local), 'community no-export');
  const { data } = route;
  assert.equal(importRefusal(data, member, local), undefined);
  assert.equal(importRefusal(data, inside, local), undefined);
  assert.match(importRefusal(data, outside, local) ?? '', /confederation from outside/);
  assert.match(importRefusal(data, INTERNAL, LOCAL) ?? '', /confederation from outside/);
  const looped = (asPath: AsPath) => importRefusal(path({ asPath }).data, member, local);
  assert.match(looped([{ kind: 'confed-sequence', asns: [65002, 65001] }]) ?? '', /our own AS/);
  assert.match(looped(throughMember(sequence(65100, 64512))) ?? '', /our own AS/);
  for (const asPath of [[], sequence(65100)]) {
    assert.match(looped(asPath) ?? '', /does not begin with its confederation sequence/);
  }
});

test('what has been stale for long is a last resort, and for peers that know it', () => {
  const stale = marked(Community.LongLivedStale);
  const { source } = path({ isInternal: false });
  assert.equal(
    exported({ ...stale, source }),
    'stale for long: only for peers that know what that means',
  );
  assert.ok(
    typeof exported({ ...stale, source }, { ...INTERNAL, knowsLongLived: true }) !== 'string',
  );
  const { prefix, data } = stale;
  const outcome = new ImportPolicy(LOCAL).import(prefix, data, INTERNAL);
  assert.ok(outcome.kind === 'accepted');
  assert.equal(outcome.data.attributes.localPreference, 0);
});

test('routes that are for customers only are marked on their way, and leaks are kept out', () => {
  const toCustomer = exported(path({ from: 'local' }), to('provider'));
  assert.equal(typeof toCustomer === 'string' ? toCustomer : toCustomer.onlyToCustomer, 64512);
  const leaked = path({ onlyToCustomer: 65001 });
  const passed = exported(leaked, to('provider'));
  assert.equal(typeof passed === 'string' ? passed : passed.onlyToCustomer, 65001);
  assert.equal(exported(leaked, to('customer')), 'AS 65001 has told it to customers only');
  assert.match(String(refusal({ onlyToCustomer: 65001 }, to('provider'))), /^leaked/);
  const policy = new ImportPolicy(LOCAL);
  const { prefix, data } = path({});
  const first = policy.import(prefix, data, to('customer'));
  assert.ok(first.kind === 'accepted');
  assert.equal(first.data.attributes.onlyToCustomer, 65000);
});

test('a reflector marks what it passes between internal peers', () => {
  const fromClient = path({ isClient: true, routerId: 7 });
  assert.deepEqual(exported(fromClient, INTERNAL, REFLECTOR), {
    origin: 0,
    asPath: '',
    localPreference: 100,
    originatorId: 7,
    clusterList: [0x0a000001],
    nextHop: '192.168.80.101',
  });
  const again = path({ originatorId: 9, clusterList: [3] });
  const toClient = exported(again, { ...INTERNAL, isReflectorClient: true }, REFLECTOR);
  assert.ok(typeof toClient !== 'string');
  assert.deepEqual([toClient.originatorId, toClient.clusterList], [9, [0x0a000001, 3]]);
  assert.equal(
    exported(path({}), INTERNAL, REFLECTOR),
    'internal routes are not told to internal peers',
  );
});

test('pools and communities keep routes back', () => {
  assert.equal(exported(own('10.245.1.0/26')), 'its pool has disableBGPExport');
  assert.ok(typeof exported(own('10.246.1.0/26')) === 'object', 'own blocks of a disabled pool');
  assert.equal(exported(path({ prefix: '10.246.1.0/26' }), EXTERNAL), 'not in an enabled pool');
  assert.equal(exported(path({ prefix: '0.0.0.0/0' }), EXTERNAL), 'not in an enabled pool');
  assert.equal(exported(marked(Community.NoAdvertise), EXTERNAL), 'community no-advertise');
  assert.equal(exported(marked(Community.NoExport), EXTERNAL), 'community no-export');
});

test('attributes that are passed on without being understood are marked as partial', () => {
  const route = path({ unknown: [{ flags: 0xc0, type: 99, value: new Uint8Array(1) }] });
  const outcome = exported(route, EXTERNAL);
  assert.ok(typeof outcome !== 'string');
  assert.deepEqual(outcome.unknown, [0xe0]);
});

test('export() answers the same object for routes of one attribute set', () => {
  const policy = new ExportPolicy(LOCAL);
  const first = path({ prefix: '10.244.1.0/26' });
  const second = { ...first, prefix: parsePrefix('10.244.2.0/26') };
  const [a, b] = [first, second].map((route) => policy.export(route, 'x', EXTERNAL));
  assert.ok(a?.kind === 'accepted' && b?.kind === 'accepted');
  assert.equal(a.data, b.data);
});

test('importRefusal() finds loops and impossible next hops', () => {
  assert.equal(refusal({}), undefined);
  assert.match(refusal({ asPath: sequence(1, 64512) }) ?? '', /our own AS number$/);
  assert.match(
    refusal({ asPath: sequence(64512, 64512) }, { ...INTERNAL, allowedOwnAs: 1 }) ?? '',
    /our own AS number more often than numAllowedLocalASNumbers, 1$/,
  );
  assert.equal(refusal({ asPath: sequence(64512) }, { ...INTERNAL, allowedOwnAs: 1 }), undefined);
  assert.equal(refusal({ originatorId: LOCAL.routerId }), 'originated by this speaker');
  assert.match(refusal({ clusterList: [5, 0x0a000001] }) ?? '', /reflected by this cluster/);
  assert.equal(refusal({ via: '192.168.80.100' }), 'next hop is this node');
  const ownAddress = parseAddress('169.254.0.179');
  const workload = { ...EXTERNAL, ownAddress };
  assert.equal(refusal({ via: '169.254.0.179' }, workload), 'next hop is this node');
  assert.equal(refusal({ via: '0.0.0.0' }), 'next hop is no address');
});

test('a peer knows this node by its own AS number for it', () => {
  const peer = { ...EXTERNAL, localAsn: 65100 };
  const outcome = exported(own('10.244.1.0/26'), peer);
  assert.equal(typeof outcome === 'object' && outcome.asPath, '65100');
  assert.match(refusal({ asPath: sequence(1, 65100) }, peer) ?? '', /our own AS number/);
  assert.equal(refusal({ asPath: sequence(1, 64512) }, peer), undefined);
});

test('communities of the configuration go along with what lies inside their prefixes', () => {
  const local: LocalPolicy = {
    ...LOCAL,
    advertisements: [
      { prefix: parsePrefix('10.244.0.0/16'), add: { standard: [7], large: [] } },
      { prefix: parsePrefix('10.244.1.0/24'), add: { standard: [8, 7], large: [LARGE] } },
    ],
  };
  const first = exported(own('10.244.1.0/26'), EXTERNAL, local);
  assert.ok(typeof first !== 'string');
  assert.deepEqual([first.communities, first.largeCommunities], [[7, 8], [LARGE]]);
  const second = exported(own('10.244.2.0/26'), EXTERNAL, local);
  assert.deepEqual(typeof second !== 'string' && second.communities, [7]);
  const third = exported(own('10.246.2.0/26'), EXTERNAL, local);
  assert.equal(typeof third !== 'string' && third.communities, undefined);
});

test('a reflector passes ranges of services on, other nodes do not', () => {
  const serviceRanges = [parsePrefix('203.0.113.0/24')];
  const route = path({ prefix: '203.0.113.7/32', isClient: true });
  const kind = (local: LocalPolicy) => typeof exported(route, INTERNAL, local);
  assert.equal(kind({ ...REFLECTOR, serviceRanges }), 'object');
  assert.equal(kind(REFLECTOR), 'string');
  assert.equal(exported(route, EXTERNAL, { ...LOCAL, serviceRanges }), 'not in an enabled pool');
});

test('a peer that says it is about to go becomes the last resort (RFC 8326)', () => {
  const policy = new ImportPolicy(LOCAL);
  const { prefix, data } = path({ communities: [Community.GracefulShutdown] });
  const preference = (peer: PeerPolicy) => {
    const outcome = policy.import(prefix, data, peer);
    return outcome.kind === 'accepted' && outcome.data.attributes.localPreference;
  };
  assert.equal(preference(EXTERNAL), 0);
  assert.equal(preference(INTERNAL), undefined, 'internal peers have said what they prefer');
});

test('what another AS asks to drop stays here (RFC 7999)', () => {
  assert.equal(exported(marked(Community.Blackhole), EXTERNAL), 'community blackhole');
});

/** The kernel, which finds one of the links when it is asked without. */
function asked(): string {
  return 'eth2';
}

test('filters take the link of a link-local next hop from the session that has told it', () => {
  const { import: imports, export: exports } = new FilterLibrary([
    bgpFilter('f', {
      importV4: [{ action: 'Reject', interface: 'eth1' }],
      exportV4: [{ action: 'Reject', interface: 'eth1' }],
    }) as BGPFilter,
  ]).combine(['f'], () => {});
  const verdicts = ['eth1', 'eth2'].map((onLink) => {
    const route = path({ via: 'fe80::1', onLink, isInternal: false });
    const peer: PeerPolicy = { ...EXTERNAL, filters: { import: imports, export: exports } };
    return [
      new ImportPolicy(LOCAL, asked).import(route.prefix, route.data, { ...peer, onLink }).kind,
      new ExportPolicy(LOCAL, asked).export(route, '192.168.80.102', peer).kind,
    ];
  });
  assert.deepEqual(verdicts, [
    ['rejected', 'rejected'],
    ['accepted', 'accepted'],
  ]);
});

test('a workload is told its own address of the node as next hop', () => {
  const workload = { ...EXTERNAL, address: parseAddress('10.244.0.7') };
  const ownAddress = parseAddress('169.254.0.179');
  assert.equal(nextHopFor(workload), '192.168.80.100');
  assert.equal(nextHopFor({ ...workload, ownAddress }), '169.254.0.179');
  assert.equal(
    nextHopFor({ ...workload, ownAddress: parseAddress('fd00::179') }),
    '192.168.80.100',
  );
});
