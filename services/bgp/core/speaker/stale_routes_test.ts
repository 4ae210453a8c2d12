import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Afi, type Capability, endOfRib, Safi, type Update } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';

const GRACEFUL: Capability = {
  kind: 'graceful-restart',
  restarting: true,
  notification: false,
  restartTimeSeconds: 120,
  families: [{ afi: Afi.Ipv4, safi: Safi.Unicast, forwarding: true }],
};

const ROUTE: Update = {
  kind: 'update',
  withdrawn: [],
  announced: [{ prefix: parsePrefix('10.244.2.0/26') }],
  attributes: {
    origin: 0,
    asPath: [],
    localPreference: 100,
    nextHop: parseAddress('192.168.80.101'),
  },
  problems: [],
};

/** A peer that has told one route. */
function told(): ScriptedPeer {
  const peer = new ScriptedPeer([GRACEFUL]);
  peer.say(ROUTE);
  peer.clock.advance(100);
  return peer;
}

/** Comes back for 20 s and says nothing, every 40 s. @returns seconds until its route was gone */
function flap(peer: ScriptedPeer): number {
  for (let seconds = 0; seconds < 1_600; seconds += 40) {
    peer.hangUp();
    peer.clock.advance(20_000);
    peer.connect([GRACEFUL]);
    peer.clock.advance(20_000);
    if (peer.peer.received.size === 0) return seconds + 40;
  }
  return Infinity;
}

test('routes of a peer that comes and goes end two minutes after its restart time', () => {
  const peer = told();
  assert.equal(flap(peer), 240);
});

test('a peer that is lost again and again, and tells its route each time, keeps it', () => {
  const peer = told();
  for (let round = 0; round < 8; round++) {
    peer.hangUp();
    peer.clock.advance(20_000);
    peer.connect([GRACEFUL]);
    assert.equal(peer.peer.received.size, 1, `round ${round}`);
    peer.say(ROUTE);
    peer.clock.advance(55_000);
  }
});

test('a peer that has told all has all the time again', () => {
  const peer = told();
  peer.hangUp();
  peer.clock.advance(110_000);
  peer.connect([GRACEFUL]);
  peer.clock.advance(110_000);
  peer.say(endOfRib(4));
  peer.clock.advance(100);
  assert.equal(peer.peer.received.size, 0);
  assert.equal(peer.peer.staleUntil, undefined);
});
