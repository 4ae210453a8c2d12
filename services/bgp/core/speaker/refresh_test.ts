import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Afi, type Capability, RefreshSubtype, type RouteRefresh, Safi } from '@calico/bgp-wire';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';

const REFRESH: readonly Capability[] = [{ kind: 'route-refresh' }];
const ENHANCED: readonly Capability[] = [...REFRESH, { kind: 'enhanced-route-refresh' }];

function refresh(subtype: number): RouteRefresh {
  return { kind: 'route-refresh', afi: Afi.Ipv4, safi: Safi.Unicast, subtype };
}

/** What the peer has heard since: kinds of messages, refreshes with their subtype. */
function heard({ heard: messages }: ScriptedPeer): string[] {
  return messages
    .splice(0)
    .map((each) => (each.kind === 'route-refresh' ? `refresh ${each.subtype}` : each.kind));
}

const BEGIN = `refresh ${RefreshSubtype.Begin}`;
const END = `refresh ${RefreshSubtype.End}`;

test('a refresh is answered with the table, between Begin and End where that was agreed', () => {
  for (const [capabilities, expected] of [
    [ENHANCED, [BEGIN, 'update', END]],
    [REFRESH, ['update']],
  ] as const) {
    const peer = new ScriptedPeer(capabilities);
    peer.say(refresh(RefreshSubtype.Request));
    peer.clock.advance(100);
    assert.deepEqual(heard(peer), expected);
  }
});

test('requests while the peer does not read are answered once', () => {
  const peer = new ScriptedPeer(ENHANCED);
  peer.isReading = false;
  peer.say(...Array(1_000).fill(refresh(RefreshSubtype.Request)));
  peer.clock.advance(100);
  assert.deepEqual(heard(peer), [BEGIN, 'update', END], 'this goes into the send buffer');
  peer.isReading = true;
  peer.clock.advance(100);
  assert.deepEqual(heard(peer), [BEGIN, 'update', END]);
  peer.clock.advance(100);
  assert.deepEqual(heard(peer), []);
});
