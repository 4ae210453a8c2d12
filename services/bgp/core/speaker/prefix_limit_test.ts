import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Afi, type Capability, endOfRib, Safi, type Update } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer, withOptions } from '../../testing/scripted_peer.ts';

const GRACEFUL: Capability = {
  kind: 'graceful-restart',
  restarting: false,
  notification: false,
  restartTimeSeconds: 300,
  families: [{ afi: Afi.Ipv4, safi: Safi.Unicast, forwarding: true }],
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
