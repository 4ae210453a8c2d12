import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Afi,
  type Capability,
  endOfRib,
  RefreshSubtype,
  type RouteRefresh,
  Safi,
  type Update,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import { bgpPeer } from '../../testing/resources.ts';
import { ScriptedPeer, withOptions } from '../../testing/scripted_peer.ts';

const GRACEFUL: Capability = {
  kind: 'graceful-restart',
  restarting: false,
  notification: false,
  restartTimeSeconds: 300,
  families: [{ afi: Afi.Ipv4, safi: Safi.Unicast, forwarding: true }],
};
const LONG_LIVED: Capability = {
  kind: 'long-lived-graceful-restart',
  families: [{ afi: Afi.Ipv4, safi: Safi.Unicast, forwarding: true, staleSeconds: 86_400 }],
};

function routes(...prefixes: readonly string[]): Update {
  const nextHop = parseAddress('192.168.80.101');
  const attributes = { origin: 0 as const, asPath: [], localPreference: 100, nextHop };
  const announced = prefixes.map((prefix) => ({ prefix: parsePrefix(prefix) }));
  return { kind: 'update', withdrawn: [], announced, attributes, problems: [] };
}

test('routes that await their peer do not count when it is back with others', () => {
  const resources = withOptions({ maxPrefixes: { limit: 3 } });
  const peer = new ScriptedPeer([GRACEFUL], 0, resources);
  const say = (update: Update): number | undefined => {
    peer.say(update);
    peer.clock.advance(100);
    return peer.peer.live && peer.peer.received.size;
  };
  assert.equal(say(routes('10.0.1.0/24', '10.0.2.0/24', '10.0.3.0/24')), 3);
  peer.hangUp();
  peer.clock.advance(2_000);
  assert.equal(peer.peer.received.staleCount, 3);
  peer.connect([GRACEFUL]);
  assert.equal(say(routes('10.0.3.0/24', '10.0.4.0/24', '10.0.5.0/24')), 5);
  assert.equal(say(endOfRib(4)), 3);
  assert.equal(say(routes('10.0.6.0/24')), undefined);
});

function refresh(subtype: number): RouteRefresh {
  return { kind: 'route-refresh', afi: Afi.Ipv4, safi: Safi.Unicast, subtype };
}

/** Three that it has not told before. */
function others(round: number): Update {
  return routes(...[1, 2, 3].map((each) => `10.${each}.${round}.0/24`));
}

test('a peer that begins its table anew again and again, with other routes, keeps twice the limit', () => {
  const capabilities = [{ kind: 'route-refresh' }, { kind: 'enhanced-route-refresh' }] as const;
  const peer = new ScriptedPeer(capabilities, 0, withOptions({ maxPrefixes: { limit: 3 } }));
  for (let round = 0; round < 12; round++) {
    peer.say(refresh(RefreshSubtype.Begin), others(round));
    peer.clock.advance(100);
    assert.ok(peer.peer.received.size <= 6, `${peer.peer.received.size} in round ${round}`);
  }
  peer.say(refresh(RefreshSubtype.End));
  peer.clock.advance(100);
  assert.equal(peer.peer.received.size, 3);
  assert.equal(peer.peer.session.losses, 0);
});

test('a peer that restarts again and again, with other routes, keeps twice the limit', () => {
  const capabilities = [GRACEFUL, LONG_LIVED];
  const options = { maxPrefixes: { limit: 3 }, longLivedRestartTime: '24h' };
  const peer = new ScriptedPeer(capabilities, 0, withOptions(options));
  for (let round = 0; round < 12; round++) {
    peer.say(others(round));
    peer.clock.advance(100);
    assert.ok(peer.peer.received.size <= 6, `${peer.peer.received.size} in round ${round}`);
    peer.hangUp();
    peer.clock.advance(round % 2 === 0 ? 2_000 : 400_000);
    assert.ok(peer.peer.received.staleCount >= 3);
    peer.connect(capabilities);
  }
  peer.say(others(12), endOfRib(4));
  peer.clock.advance(100);
  assert.deepEqual([peer.peer.received.size, peer.peer.session.losses], [3, 12]);
});

function limited(maxPrefixes?: object): readonly AnyResource[] {
  return withOptions({ maxPrefixes });
}

test('a limit is raised, lowered and taken away under a session that stays, unless it is told too much', () => {
  const peer = new ScriptedPeer([], 0, limited({ limit: 4 }));
  const notes: number[] = [];
  peer.say(routes('10.0.1.0/24', '10.0.2.0/24', '10.0.3.0/24'));
  const change = (resources: readonly AnyResource[]): void => {
    peer.configure(resources);
    peer.clock.advance(100);
    notes.push(peer.peer.received.size);
  };
  change(limited({ limit: 100 }));
  change(limited());
  change(limited({ limit: 3 }));
  change(withOptions({ maxPrefixes: { limit: 3 }, passive: true, delayOpen: '3s' }));
  assert.deepEqual([notes, peer.peer.session.losses], [[3, 3, 3, 3], 0]);
  change(limited({ limit: 2, restartAfter: '10m' }));
  assert.deepEqual([peer.peer.session.phase, peer.peer.received.size], ['resting', 0]);
  change(limited({ limit: 3, restartAfter: '10m' }));
  assert.equal(peer.peer.session.phase, 'running');
});

test('who waits for a peer dials it when it is to be passive no more', () => {
  const peer = new ScriptedPeer([], 0, withOptions({ passive: true }));
  peer.hangUp();
  peer.clock.advance(60_000);
  const dialled = () => peer.peer.session.connections.outgoing.kind;
  const before = dialled();
  peer.configure(withOptions({}));
  assert.deepEqual([before, dialled()], ['active', 'connect']);
});

test('a guest that has told too much is shut out for as long as it should be, and then forgotten', () => {
  const range = bgpPeer('any', {
    peerPrefix: '192.168.80.0/24',
    asNumber: 64_512,
    maxPrefixes: { limit: 2, restartAfter: '10m' },
  });
  const peer = new ScriptedPeer([], 0, withOptions({ node: 'nobody' }).concat(range));
  peer.say(others(1));
  for (let minutes = 1; minutes < 10; minutes++) {
    peer.clock.advance(60_000);
    assert.equal(peer.peer.session.phase, 'resting');
    assert.equal(peer.dial(), 'turned away');
  }
  peer.clock.advance(180_000);
  assert.equal(peer.speaker.peers.size, 0);
  assert.equal(peer.dial(), 'open');
});
