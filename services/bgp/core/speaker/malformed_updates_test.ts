import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';

const ORIGIN = [0x40, 1, 1, 0];
const ATTRIBUTES = [
  ORIGIN,
  [0x40, 2, 0],
  [0x40, 3, 4, 192, 168, 80, 101],
  [0x40, 5, 4, 0, 0, 0, 100],
];
/** Of a length that they cannot have. */
const MED = [0x80, 4, 1, 0];
const AGGREGATOR = [0xc0, 7, 1, 0];
/** Nobody may leave out what he does not know of these. */
const WELL_KNOWN = [0x40, 99, 0];

/** Body of an UPDATE that announces 10.1.0.0/16. */
function update(...more: readonly number[][]): Uint8Array {
  const attributes = [...ATTRIBUTES, ...more].flat();
  return Uint8Array.from([0, 0, 0, attributes.length, ...attributes, 16, 10, 1]);
}

test('malformed UPDATEs are counted once each, by the strongest treatment, beyond the session', () => {
  const { peer, speaker, clock } = new ScriptedPeer();
  const take = (...bodies: Uint8Array[]): void => {
    const side = peer.live?.side;
    assert.ok(side !== undefined);
    const event = { kind: 'updates', peer: peer.config.key, side, bodies } as const;
    speaker.handle(event, clock.now());
  };
  take(update());
  assert.deepEqual(peer.malformed, { treatAsWithdraw: 0, attributeDiscard: 0, sessionReset: 0 });
  take(update(AGGREGATOR), update(MED), update(AGGREGATOR, MED), update(MED, ORIGIN));
  assert.deepEqual(peer.malformed, { treatAsWithdraw: 3, attributeDiscard: 1, sessionReset: 0 });
  assert.equal(peer.received.size, 0);
  take(update(WELL_KNOWN));
  assert.equal(peer.live, undefined);
  assert.deepEqual(peer.malformed, { treatAsWithdraw: 3, attributeDiscard: 1, sessionReset: 1 });
});
