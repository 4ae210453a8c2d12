import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bgpConfiguration, node } from '../../testing/resources.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import type { Coverage } from '../speaker/coverage.ts';
import { deriveSpeaker } from './derive_speaker.ts';
import { Parting } from './parting.ts';
import { resourcesOf } from './resources.ts';

const PEER = '10.0.0.2';

/** The configuration of a node with one peer. */
function configured(): SpeakerConfig {
  const nodes = [node('a', '10.0.0.1/24'), node('b', `${PEER}/24`), bgpConfiguration({})];
  const { derived } = deriveSpeaker('a', '', resourcesOf(nodes));
  assert.ok(derived);
  return derived.speaker;
}

test('Parting keeps a peer that only the topology leaves out, as it was', () => {
  const before = configured();
  const next = { ...before, peers: new Map() };
  const parting = new Parting();
  assert.equal(parting.configure(before, new Set()), before);
  assert.deepEqual(parting.configure(next, new Set([PEER])), before);
  assert.deepEqual(parting.configure(next, new Set([PEER])), before);
  assert.deepEqual(parting.configure(next, new Set()), next, 'left out for another reason now');
});

/** What the configuration says after each coverage: '' parted, 'marked', 'unmarked', '=' as before. */
function reviews(...coverages: readonly Partial<Coverage>[]): string[] {
  const before = configured();
  const parting = new Parting();
  parting.configure(before, new Set());
  parting.configure({ ...before, peers: new Map() }, new Set([PEER]));
  return coverages.map((changes) => {
    const config = parting.review(() => new Map([[PEER, { ...COVERED, ...changes }]]));
    if (config === undefined) return '=';
    const peer = config.peers.get(PEER);
    if (peer === undefined) return '';
    return peer.policy.isDispensable ? 'marked' : 'unmarked';
  });
}

const COVERED: Coverage = { isEstablished: true, isCovered: true, releasesUs: true, told: 1 };
const UNCOVERED = { isCovered: false };
const UNRELEASED = { releasesUs: false };

test('Parting marks itself while it is covered, and ends when the other end is marked too', () => {
  assert.deepEqual(reviews(UNCOVERED, UNRELEASED, UNRELEASED, UNCOVERED, UNCOVERED, {}), [
    '=',
    'marked',
    '=',
    'unmarked',
    '=',
    '',
  ]);
});

test('Parting ends without a sign when nothing is told, and when the other end is gone', () => {
  for (const changes of [{ told: 0 }, { isEstablished: false }]) {
    assert.deepEqual(reviews({ ...UNRELEASED, ...changes }), ['']);
    assert.deepEqual(reviews({ ...UNCOVERED, ...changes }), ['=']);
  }
});
