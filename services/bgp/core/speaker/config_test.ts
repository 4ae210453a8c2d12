import assert from 'node:assert/strict';
import { test } from 'node:test';
import { node } from '../../testing/resources.ts';
import { deriveSpeaker } from '../cluster/derive_speaker.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { changesOf, type PeerConfig } from './config.ts';

function derived(): PeerConfig {
  const nodes = [node('a', '10.0.0.1/24'), node('b', '10.0.0.2/24')];
  const peer = deriveSpeaker('a', '', resourcesOf(nodes)).derived?.speaker.peers.get('10.0.0.2');
  assert.ok(peer);
  return peer;
}

test('changesOf() tells what of a peer has changed', () => {
  const peer = derived();
  const { session, policy } = peer;
  const to = (after: PeerConfig): string[] =>
    Object.entries(changesOf(peer, after)).flatMap(([what, has]) => (has ? [what] : []));
  assert.deepEqual(to(derived()), []);
  assert.deepEqual(to({ ...peer, policy: { ...policy, allowedOwnAs: 1 } }), ['policy']);
  assert.deepEqual(to({ ...peer, session: { ...session, remoteAsn: 65_000 } }), ['session']);
  assert.deepEqual(to({ ...peer, session: { ...session, isPassive: true } }), ['approach']);
  const prefixLimit = { routes: 2, warnRoutes: 1, isFatal: true, restMs: 1_000 } as const;
  assert.deepEqual(to({ ...peer, prefixLimit }), ['prefixLimit']);
  const later = { ...peer, session: { ...session, holdTimeSeconds: 30 } };
  assert.deepEqual(to(later), [], 'taken up by the next session');
});
