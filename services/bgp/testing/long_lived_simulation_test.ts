// How long routes of a lost peer stay, and which when it is back: by what its OPENs say (RFC 9494).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Afi, type Capability, Community, Safi, type Update } from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { ScriptedPeer, withOptions } from './scripted_peer.ts';

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
