import assert from 'node:assert/strict';
import { test } from 'node:test';
import { node } from '../../testing/resources.ts';
import { deriveSpeaker } from '../cluster/derive_speaker.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { changeOf, type PeerConfig } from './config.ts';

function derived(): PeerConfig {
  const nodes = [node('a', '10.0.0.1/24'), node('b', '10.0.0.2/24')];
  const peer = deriveSpeaker('a', '', resourcesOf(nodes)).derived?.speaker.peers.get('10.0.0.2');
  assert.ok(peer);
  return peer;
}

test('changeOf() tells what a session has to start anew for', () => {
  const peer = derived();
  const { session, policy } = peer;
  assert.equal(changeOf(peer, derived()), 'none');
  assert.equal(changeOf(peer, { ...peer, policy: { ...policy, allowedOwnAs: 1 } }), 'policy');
  assert.equal(changeOf(peer, { ...peer, session: { ...session, remoteAsn: 65_000 } }), 'session');
  const later = { ...peer, session: { ...session, holdTimeSeconds: 30 } };
  assert.equal(changeOf(peer, later), 'none', 'taken up by the next session');
});
