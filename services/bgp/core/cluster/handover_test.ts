import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '@calico/ip';
import type { OwnRoute, SpeakerConfig } from '../speaker/config.ts';
import { Handover } from './handover.ts';

function config(...cidrs: string[]): SpeakerConfig {
  const ownRoutes = cidrs.map(
    (cidr): OwnRoute => ({ prefix: parsePrefix(cidr), kind: 'block', localPreference: 100 }),
  );
  return { ownRoutes } as unknown as SpeakerConfig;
}

function told(of: SpeakerConfig | undefined): string[] | undefined {
  return of?.ownRoutes.map(({ prefix }) => formatPrefix(prefix)).toSorted();
}

test('when blocks merge the old routes stay a while, and go', () => {
  const handover = new Handover();
  assert.deepEqual(told(handover.configure(config('10.0.0.0/26'), 0)), ['10.0.0.0/26']);
  assert.deepEqual(told(handover.configure(config('10.0.0.0/25'), 1000)), [
    '10.0.0.0/25',
    '10.0.0.0/26',
  ]);
  assert.equal(handover.review(5_999), undefined);
  assert.deepEqual(told(handover.review(6_000)), ['10.0.0.0/25']);
  assert.equal(handover.review(9_000), undefined);
});

test('when a merged route falls apart it stays until its parts are known', () => {
  const handover = new Handover();
  handover.configure(config('10.0.0.0/24'), 0);
  const parts = config('10.0.0.0/26', '10.0.0.128/25');
  assert.deepEqual(told(handover.configure(parts, 0)), [
    '10.0.0.0/24',
    '10.0.0.0/26',
    '10.0.0.128/25',
  ]);
  assert.deepEqual(told(handover.review(5_000)), ['10.0.0.0/26', '10.0.0.128/25']);
});

test('a block that is given up goes at once, and with it what was only kept for it', () => {
  const handover = new Handover();
  handover.configure(config('10.0.0.0/25', '10.9.0.0/26'), 0);
  assert.deepEqual(told(handover.configure(config('10.0.0.0/26'), 0)), [
    '10.0.0.0/25',
    '10.0.0.0/26',
  ]);
  assert.deepEqual(told(handover.configure(config(), 1)), []);
  assert.equal(handover.review(10_000), undefined);
});

test('a route that is wanted again is not taken away', () => {
  const handover = new Handover();
  handover.configure(config('10.0.0.0/25'), 0);
  handover.configure(config('10.0.0.0/26'), 0);
  const again = handover.configure(config('10.0.0.0/25'), 1000);
  assert.deepEqual(told(again), ['10.0.0.0/25', '10.0.0.0/26']);
  assert.deepEqual(told(handover.review(6_000)), ['10.0.0.0/25']);
});
