import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix } from '@calico/ip';
import type { ServiceRules } from '../services/service_rules.ts';
import type { OwnRoute, SpeakerConfig } from '../speaker/config.ts';
import { Handover } from './handover.ts';

const RULES: ServiceRules = {
  node: 'a',
  isExcluded: false,
  ranges: { cluster: [], external: [], 'load balancer': [parsePrefix('192.0.2.0/24')] },
  aggregatesLoadBalancers: true,
  localPreference: { 4: 100, 6: 100 },
};

function derived(kind: OwnRoute['kind'], cidrs: readonly string[], rules = RULES) {
  const ownRoutes = cidrs.map(
    (cidr): OwnRoute => ({ prefix: parsePrefix(cidr), kind, localPreference: 100 }),
  );
  return { speaker: { ownRoutes } as unknown as SpeakerConfig, serviceRules: rules };
}

function listing(...external: readonly string[]): Partial<ServiceRules> {
  const ranges = external.map((each) => parsePrefix(each));
  return { ranges: { cluster: [], external: ranges, 'load balancer': [] } };
}

function config(...cidrs: string[]) {
  return derived('block', cidrs);
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

test('a range of services stays until what replaces it is known', () => {
  const handover = new Handover();
  const whole = derived('service', ['192.0.2.0/24', '203.0.113.0/24']);
  const apart = (rules: Partial<ServiceRules>) =>
    told(handover.configure(derived('service', [], { ...RULES, ...rules }), 0));
  handover.configure(whole, 0);
  assert.deepEqual(apart({ aggregatesLoadBalancers: false }), ['192.0.2.0/24']);
  assert.deepEqual(told(handover.review(5_000)), []);
  handover.configure(whole, 6_000);
  assert.deepEqual(apart({ aggregatesLoadBalancers: false, isExcluded: true }), []);
  handover.configure(whole, 6_000);
  assert.deepEqual(apart(listing('198.51.100.0/24')), [], 'both are given up');
  handover.configure(whole, 6_000);
  assert.deepEqual(apart(listing('203.0.113.7/32')), ['203.0.113.0/24'], 'one is narrowed');
  handover.configure(whole, 6_000);
  assert.deepEqual(apart(listing('192.0.2.0/23')), ['192.0.2.0/24'], 'one is widened');
});
