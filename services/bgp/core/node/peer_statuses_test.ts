import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BfdState } from '@calico/bfd-wire';
import { ScriptedPeer } from '../../testing/scripted_peer.ts';
import type { BfdStatus } from '../bfd/types.ts';
import { PeerStatuses } from './peer_statuses.ts';

test('a state is made anew when something about the peer has changed, and only then', () => {
  const scripted = new ScriptedPeer();
  const { peer, clock } = scripted;
  let path: BfdStatus | undefined;
  const statuses = new PeerStatuses(scripted.speaker.peers, () => path);
  const [first] = statuses.list();
  assert.equal(first?.state, 'Established');
  const { version } = statuses;
  clock.advance(60_000);
  assert.equal(statuses.list()[0], first);
  assert.equal(statuses.version, version);

  path = {
    address: peer.config.address,
    state: BfdState.Up,
    cause: undefined,
    since: 1,
    transmitMs: 300,
    detectionMs: 900,
    isRemoteIndependent: false,
    problem: '',
  };
  assert.equal(statuses.list()[0]?.bfd, path);
  assert.equal(statuses.version, version + 1);

  scripted.hangUp();
  clock.advance(10);
  const [lost] = statuses.list();
  assert.notEqual(lost?.state, 'Established');
  assert.equal(lost?.lastError, 'Connection closed by peer');
  assert.deepEqual(lost?.agreed, []);
  assert.equal(statuses.version, version + 2);
});
