// A peer that speaks but does not read: RFC 9687.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEEPALIVE } from '@calico/bgp-wire';
import { ScriptedPeer } from './scripted_peer.ts';

const KEEPALIVE_SECONDS = 30;
/** The hold time is 90 s; RFC 9687 section 4 proposes the greater of 8 minutes and twice of it. */
const SEND_HOLD_SECONDS = 480;

/** The peer goes on to speak. */
function pass(peer: ScriptedPeer, seconds: number): void {
  for (let passed = 0; passed < seconds; passed += KEEPALIVE_SECONDS) {
    peer.say(KEEPALIVE);
    peer.clock.advance(1_000 * Math.min(KEEPALIVE_SECONDS, seconds - passed));
  }
}

test('a peer that does not read for eight minutes loses its session, whatever it says', () => {
  const scripted = new ScriptedPeer();
  scripted.isReading = false;
  pass(scripted, SEND_HOLD_SECONDS);
  const { session, live } = scripted.peer;
  assert.ok(live !== undefined, 'the timer starts with the first keepalive that waits');
  assert.equal(session.lastError, '');
  pass(scripted, KEEPALIVE_SECONDS + 1);
  assert.equal(scripted.peer.live, undefined);
  assert.match(scripted.peer.session.lastError, /Send hold timer expired/i);
});

test('a peer that has read meanwhile keeps it', () => {
  const scripted = new ScriptedPeer();
  for (let round = 0; round < 3; round++) {
    scripted.isReading = false;
    pass(scripted, SEND_HOLD_SECONDS - KEEPALIVE_SECONDS);
    scripted.isReading = true;
  }
  assert.ok(scripted.peer.live !== undefined);
});
