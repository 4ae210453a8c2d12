import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { bgpPeer, node } from '../../testing/resources.ts';
import { deriveSpeaker } from '../cluster/derive_speaker.ts';
import { resourcesOf } from '../cluster/resources.ts';
import { NO_SURROUNDINGS, type Surroundings } from '../cluster/surroundings.ts';
import { Speaker } from '../speaker/speaker.ts';
import { removalFor } from './removal.ts';

const INDEXES = new Map([
  ['eth1', 3],
  ['eth2', 4],
]);
const FAR_END = parseAddress('fe80::7');
const SETTLED_MS = 31_000;

function speakerWith(surroundings: Partial<Surroundings>): Speaker {
  const asNumber = 65_000;
  const password = { secretKeyRef: { name: 'bgp', key: 'leaf' } };
  const resources = [
    node('a', '192.168.80.100/24'),
    ...['eth1', 'eth2'].map((peerInterface) => bgpPeer(peerInterface, { peerInterface, asNumber })),
    bgpPeer('signed', { peerIP: '192.168.80.7', asNumber, password }),
  ];
  const all = { ...NO_SURROUNDINGS, linkLocalAddress: () => parseAddress('fe80::a') };
  const { derived } = deriveSpeaker('a', '', resourcesOf(resources), { ...all, ...surroundings });
  assert.ok(derived);
  const speaker = new Speaker({ isRestarted: true });
  speaker.configure(derived.speaker, 0);
  return speaker;
}

function indexOf(name: string): number | undefined {
  return INDEXES.get(name);
}

function mayGo(speaker: Speaker, gateway: string, index: number, now = SETTLED_MS): boolean {
  const removal = removalFor(speaker, { startedAt: 0, inSyncAt: 0 }, now, indexOf);
  return removal.via(parseAddress(gateway), index);
}

test('routers with the same address on two links are waited for each by itself', () => {
  const speaker = speakerWith({ neighbourOn: () => FAR_END });
  const ended = speaker.peers.get('fe80::7%eth2');
  assert.ok(ended !== undefined);
  ended.isComplete = () => true;
  assert.deepEqual([mayGo(speaker, 'fe80::7', 3), mayGo(speaker, 'fe80::7', 4)], [false, true]);
});

test('who cannot be spoken to yet is waited for, where it can be', () => {
  const speaker = speakerWith({ neighbourOn: (name) => (name === 'eth1' ? FAR_END : undefined) });
  // A far end that has not been heard of may have any address on its link.
  assert.deepEqual([mayGo(speaker, 'fe80::9', 4), mayGo(speaker, 'fe80::9', 3)], [false, true]);
  // Its password is missing.
  assert.equal(mayGo(speaker, '192.168.80.7', 2), false);
  // Nobody's, once all had their time.
  assert.equal(mayGo(speaker, '192.168.80.8', 2), true);
  assert.equal(mayGo(speaker, '192.168.80.8', 2, 29_000), false);
  assert.equal(mayGo(speaker, '192.168.80.7', 2, 120_000), true);
});
