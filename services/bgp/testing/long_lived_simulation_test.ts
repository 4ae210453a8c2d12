// How long routes of a lost peer stay, and which when it is back: by what its OPENs say (RFC 9494).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Afi, type Capability, Community, KEEPALIVE, Safi, type Update } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { ScriptedPeer, withOptions } from './scripted_peer.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const IPV4 = { afi: Afi.Ipv4, safi: Safi.Unicast };
const ROUTE: Update = {
  kind: 'update',
  withdrawn: [],
  announced: [{ prefix: parsePrefix('10.244.7.0/26') }],
  attributes: {
    origin: 0,
    asPath: [],
    localPreference: 100,
    nextHop: parseAddress('192.168.80.101'),
  },
  problems: [],
};

/** @param restartSeconds undefined: IPv4 takes no part in graceful restart */
function opened(
  restartSeconds: number | undefined,
  forwarding: { readonly short: boolean; readonly long: boolean },
): Capability[] {
  return [
    {
      kind: 'graceful-restart',
      restarting: false,
      notification: false,
      restartTimeSeconds: restartSeconds ?? 120,
      families: restartSeconds === undefined ? [] : [{ ...IPV4, forwarding: forwarding.short }],
    },
    {
      kind: 'long-lived-graceful-restart',
      families: [{ ...IPV4, forwarding: forwarding.long, staleSeconds: 600 }],
    },
  ];
}

function told(capabilities: readonly Capability[]): ScriptedPeer {
  const peer = new ScriptedPeer(capabilities, 0, withOptions({ longLivedRestartTime: '10m' }));
  peer.say(ROUTE);
  peer.clock.advance(100);
  return peer;
}

/** "kept", "last resort" or "gone". */
function stateOf({ peer }: ScriptedPeer): string {
  const path = peer.received.get(parsePrefix('10.244.7.0/26'));
  if (path === undefined) return 'gone';
  const { communities } = path.data.attributes;
  return communities?.includes(Community.LongLivedStale) ? 'last resort' : 'kept';
}

const BOTH = { short: true, long: true };

test('without a restart time a route is the last resort at once, and stays as long', () => {
  for (const capabilities of [opened(undefined, BOTH), opened(0, BOTH)]) {
    const peer = told(capabilities);
    assert.equal(stateOf(peer), 'kept');
    peer.hangUp();
    peer.clock.advance(100);
    assert.equal(stateOf(peer), 'last resort');
    peer.clock.advance(599_000);
    assert.equal(stateOf(peer), 'last resort');
    peer.clock.advance(2_000);
    assert.equal(stateOf(peer), 'gone');
  }
});

test('what stays when the peer is back is said by the F bit of the time that it was away for', () => {
  const cases = [
    { awayMs: 5_000, forwarding: { short: true, long: false }, state: 'kept' },
    { awayMs: 5_000, forwarding: { short: false, long: true }, state: 'gone' },
    { awayMs: 60_000, forwarding: { short: true, long: false }, state: 'gone' },
    { awayMs: 60_000, forwarding: { short: false, long: true }, state: 'last resort' },
  ];
  for (const { awayMs, forwarding, state } of cases) {
    const peer = told(opened(10, BOTH));
    peer.hangUp();
    peer.clock.advance(awayMs);
    peer.connect(opened(10, forwarding));
    assert.equal(stateOf(peer), state, JSON.stringify({ awayMs, forwarding }));
  }
});

test('a peer that comes and goes, and never says all, does not prolong the time of what is stale', () => {
  const peer = told(opened(10, BOTH));
  peer.hangUp();
  for (let seconds = 60; seconds < 600; seconds += 60) {
    peer.clock.advance(59_000);
    peer.connect(opened(10, BOTH));
    peer.clock.advance(900);
    peer.hangUp();
    assert.equal(stateOf(peer), 'last resort', `${seconds} s`);
  }
  peer.clock.advance(60_000);
  assert.equal(stateOf(peer), 'last resort');
  peer.clock.advance(11_000);
  assert.equal(stateOf(peer), 'gone');
});

test('a peer that is back has the rest of the time to say all', () => {
  const peer = told(opened(10, BOTH));
  peer.hangUp();
  peer.clock.advance(60_000);
  peer.connect(opened(10, BOTH));
  for (let seconds = 120; seconds < 610; seconds += 60) {
    peer.clock.advance(60_000);
    peer.say(KEEPALIVE);
    assert.equal(stateOf(peer), 'last resort', `${seconds} s`);
  }
  peer.clock.advance(11_000);
  assert.equal(stateOf(peer), 'gone');
  assert.ok(peer.peer.live !== undefined);
});

test('what a peer that is back has said again is as good as new, also when it is lost again', () => {
  const peer = told(opened(10, BOTH));
  peer.hangUp();
  peer.clock.advance(60_000);
  peer.connect(opened(10, BOTH));
  peer.say(ROUTE);
  peer.clock.advance(100);
  assert.equal(stateOf(peer), 'kept');
  peer.hangUp();
  peer.clock.advance(600_000);
  assert.equal(stateOf(peer), 'last resort');
  peer.clock.advance(11_000);
  assert.equal(stateOf(peer), 'gone');
});

const LONG = { maxRestartTime: '10s', longLivedRestartTime: '10m' };

/** Node a with an external peer b that is away for long at times, and internal ones, of whom only c knows RFC 9494. */
function withNeighbours(): SimulatedCluster {
  const cluster = new SimulatedCluster(5);
  const sessions = [
    ['a', 'b', { asNumber: undefined, remoteAS: 'External', role: 'Peer', ...LONG }],
    ['b', 'a', { role: 'Peer', ...LONG }],
    ['a', 'c', LONG],
    ['c', 'a', LONG],
    ['a', 'd', LONG],
    ['d', 'a', {}],
  ] as const;
  const octets = { a: 100, b: 101, c: 102, d: 103 };
  cluster.resources = [
    bgpConfiguration({ asNumber: 64512, nodeToNodeMeshEnabled: false }),
    pool('10.244.0.0/16'),
    ...Object.entries(octets).map(([name, octet]) =>
      node(name, `192.168.80.${octet}/24`, name === 'b' ? { asNumber: 65_000 } : {}),
    ),
    ...sessions.map(([name, other, options]) => {
      const peerIP = `192.168.80.${octets[other]}`;
      return bgpPeer(`${name}-${other}`, { node: name, peerIP, asNumber: 64512, ...options });
    }),
    affinity('b', '10.244.7.0/26'),
  ];
  for (const name of Object.keys(octets)) cluster.start(name);
  cluster.advance(5_000);
  return cluster;
}

function attributesAt(cluster: SimulatedCluster, name: string): object | undefined {
  const best = cluster.node(name).speaker.rib.get(parsePrefix('10.244.7.0/26'))?.best;
  if (best === undefined) return undefined;
  const { localPreference = 100, communities, onlyToCustomer } = best.data.attributes;
  return { localPreference, communities, onlyToCustomer };
}

test('what is stale for long says so, to who understands it, and keeps what its role was', () => {
  const cluster = withNeighbours();
  const fresh = { localPreference: 100, communities: undefined, onlyToCustomer: 65_000 };
  const stale = { ...fresh, localPreference: 0, communities: [Community.LongLivedStale] };
  const found = () => ['a', 'c', 'd'].map((name) => attributesAt(cluster, name));
  assert.deepEqual(found(), [fresh, fresh, fresh]);
  cluster.kill('b');
  cluster.advance(5_000);
  assert.deepEqual(found(), [fresh, fresh, fresh], 'within the restart time');
  cluster.advance(10_000);
  assert.deepEqual(found(), [stale, stale, undefined]);
  const [peer] = cluster.node('a').bgp.peers();
  assert.deepEqual([peer?.remoteAsn, peer?.state === 'Established'], [65_000, false]);
  cluster.start('b');
  cluster.advance(5_000);
  assert.deepEqual(found(), [fresh, fresh, fresh]);
});
