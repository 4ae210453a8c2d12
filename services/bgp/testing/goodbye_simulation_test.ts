// What a peer hears of a session that ends (RFC 4486), or that does not begin.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Afi,
  type Capability,
  CeaseSubcode,
  cease,
  describeNotification,
  Safi,
  type Update,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer, withOptions } from './scripted_peer.ts';

const ADDRESS = '192.168.80.101';

function goodbyes({ heard }: ScriptedPeer): string[] {
  return heard.flatMap((message) =>
    message.kind === 'notification' ? [describeNotification(message)] : [],
  );
}

function announcing(...prefixes: readonly string[]): Update {
  return {
    kind: 'update',
    withdrawn: [],
    announced: prefixes.map((text) => ({ prefix: parsePrefix(text) })),
    attributes: { origin: 0, asPath: [], localPreference: 100, nextHop: parseAddress(ADDRESS) },
    problems: [],
  };
}

test('a peer that is configured no longer, and one that is configured otherwise', () => {
  const removed = new ScriptedPeer([], 0, withOptions({}));
  removed.configure(withOptions({}).slice(0, -1));
  assert.deepEqual(goodbyes(removed), ['Cease: Peer de-configured']);
  const changed = new ScriptedPeer([], 0, withOptions({}));
  changed.configure(withOptions({ addPath: 'Both' }));
  assert.deepEqual(goodbyes(changed), ['Cease: Other configuration change']);
});

const BOTH: Capability[] = [Afi.Ipv4, Afi.Ipv6].map((afi) => ({
  kind: 'multiprotocol',
  afi,
  safi: Safi.Unicast,
}));

for (const [families, said] of [
  [['IPv4'], [0, 1, 1, 0, 0, 0, 1]],
  [['IPv4', 'IPv6'], []],
] as const) {
  test(`a peer of ${families.join(' and ')} that tells too much hears which family, if it is one`, () => {
    const options = { maxPrefixes: { limit: 1 }, addressFamilies: families };
    const peer = new ScriptedPeer(BOTH, 0, withOptions(options));
    peer.say(announcing('10.244.7.0/26', '10.244.8.0/26'));
    peer.clock.advance(100);
    const last = peer.heard.at(-1);
    assert.deepEqual(goodbyes(peer), ['Cease: Maximum number of prefixes reached']);
    assert.deepEqual(last?.kind === 'notification' ? [...last.data] : undefined, [...said]);
  });
}

/** What strangers and the peer itself hear who dial now, one after the other. */
function refusals(peer: ScriptedPeer, callers: readonly string[]): string[] {
  return callers.map((from) => {
    peer.heard.length = 0;
    return [peer.dial(from), ...goodbyes(peer)].join(': ');
  });
}

test('who is no peer hears so, unless too many come, or it is to be one soon', () => {
  const stranger = '192.0.2.1';
  const peer = new ScriptedPeer();
  const rejected = 'turned away: Cease: Connection rejected';
  assert.deepEqual(refusals(peer, [stranger, 'fe80::1']), [rejected, rejected]);
  const many = refusals(peer, Array(20).fill(stranger));
  assert.deepEqual([...new Set(many)], [rejected, 'turned away']);
  peer.clock.advance(1_000);
  assert.deepEqual(refusals(peer, [stranger, stranger]), [rejected, 'turned away']);
  assert.ok(peer.peer.live !== undefined);
  peer.clock.advance(10_000);
  const password = { secretKeyRef: { name: 'bgp', key: 'none' } };
  peer.configure(withOptions({ peerIP: stranger, password }));
  assert.deepEqual(refusals(peer, [stranger]), ['closed']);
});

test('a range that is full has no place for more', () => {
  const range = { peerIP: undefined, peerPrefix: '192.168.80.0/24', maxPeers: 1 };
  const peer = new ScriptedPeer([], 0, withOptions(range));
  assert.deepEqual(refusals(peer, ['192.168.80.102']), ['turned away: Cease: Out of resources']);
});

test('a peer that has told too much hears later, too, that it is not wanted', () => {
  const peer = new ScriptedPeer([], 0, withOptions({ maxPrefixes: { limit: 1 } }));
  peer.say(announcing('10.244.7.0/26', '10.244.8.0/26'));
  peer.clock.advance(100);
  assert.deepEqual(refusals(peer, [ADDRESS]), ['turned away: Cease: Connection rejected']);
});

test('a peer that comes while we rest after an error is not told, and may come soon', () => {
  const peer = new ScriptedPeer();
  peer.say(cease(CeaseSubcode.AdministrativeReset));
  peer.clock.advance(100);
  assert.deepEqual(refusals(peer, [ADDRESS]), ['closed']);
  peer.clock.advance(1_000);
  assert.deepEqual(refusals(peer, [ADDRESS]), ['open']);
});
