import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEEPALIVE } from '@calico/bgp-wire';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';

const FLOOD = Array(5_000).fill(KEEPALIVE);

test('KEEPALIVEs cost no look at the tables', () => {
  const peer = new ScriptedPeer();
  peer.say(...FLOOD);
  peer.clock.advance(100);
  const kinds = Map.groupBy(peer.inputs, ({ kind }) => kind);
  assert.equal(kinds.get('event')?.length, FLOOD.length);
  assert.ok((kinds.get('flush')?.length ?? 0) < 10, `${kinds.get('flush')?.length} flushes`);
});

test('a KEEPALIVE that is read right after the hold time is over counts', () => {
  const peer = new ScriptedPeer();
  const { clock } = peer;
  // 90 s from the first, which came 100 ms ago; as if the loop had been busy when this one arrived.
  clock.setTimer(89_950, () => peer.say(KEEPALIVE));
  clock.advance(91_000);
  assert.ok(peer.peer.live !== undefined);
  clock.advance(90_000);
  assert.equal(peer.peer.live, undefined);
});

test('a flood of small messages does not hold a turn longer than it may last', () => {
  const peer = new ScriptedPeer([], 1);
  const { clock } = peer;
  peer.say(...FLOOD);
  const begin = clock.workedMs;
  let worked = 0;
  // Comes after the first turn.
  clock.setTimer(0, () => {
    worked = clock.workedMs - begin;
  });
  clock.advance(0);
  assert.ok(worked > 0 && worked < 20, `${worked} ms`);
});
