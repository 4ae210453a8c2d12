import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEEPALIVE, MessageType, type Open } from '@calico/bgp-wire';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';
import { UPDATE } from '../../testing/session_driver.ts';
import { Link } from '../host/link.ts';

const MISTAKE = new TypeError('Cannot read properties of undefined');

function fail(): never {
  throw MISTAKE;
}

/** The peer has heard Cease, and the log gets to know. */
function assertEnded(scripted: ScriptedPeer): void {
  assert.equal(scripted.peer.live, undefined);
  const last = scripted.heard.at(-1);
  assert.ok(last?.kind === 'notification');
  assert.equal(last.code, 6);
  const faults = scripted.notes.flatMap((note) => (note.kind === 'fault' ? [note.fault] : []));
  assert.deepEqual(faults, [MISTAKE]);
}

test('a fault of ours in an UPDATE ends the session of the peer that has sent it, and no other', () => {
  const scripted = new ScriptedPeer();
  const { inbound } = scripted.peer;
  assert.ok(inbound !== undefined);
  inbound.apply = fail;
  scripted.say(UPDATE);
  scripted.clock.advance(100);
  assertEnded(scripted);
  const { session } = scripted.peer;
  assert.equal(session.phase, 'resting');
  assert.match(session.lastError, /^Fault of this speaker: TypeError: Cannot read properties/);
  scripted.clock.advance(2_000);
  scripted.connect();
  scripted.say(UPDATE, KEEPALIVE);
  scripted.clock.advance(100);
  assert.ok(scripted.peer.live?.complete.has(4));
});

test('a fault of ours in an OPEN ends its connection alone', () => {
  const scripted = new ScriptedPeer();
  scripted.hangUp();
  scripted.clock.advance(100);
  const { peer } = scripted;
  const { config } = peer;
  const remoteAsn = {
    get anyBut() {
      return fail();
    },
  };
  peer.config = { ...config, session: { ...config.session, remoteAsn } };
  scripted.dial();
  const open: Open = {
    kind: 'open',
    asn: 64_512,
    holdTimeSeconds: 90,
    routerId: 7,
    capabilities: [],
  };
  scripted.say(open);
  scripted.clock.advance(100);
  assertEnded(scripted);
  peer.config = config;
  scripted.clock.advance(2_000);
  scripted.connect();
});

test('what cannot be decoded for a fault of ours is none of a message', () => {
  const event = new Link().decode({ type: MessageType.Open, body: undefined as never });
  assert.ok(event.kind === 'malformed' && event.fault instanceof TypeError);
  assert.equal(event.notification.code, 6);
});
