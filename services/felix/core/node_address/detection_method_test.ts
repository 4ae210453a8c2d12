import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import { DetectionMethodError, parseDetectionMethod } from './detection_method.ts';

test('parseDetectionMethod() reads every method', () => {
  assert.deepEqual(parseDetectionMethod(''), { kind: 'first-found' });
  assert.deepEqual(parseDetectionMethod('first-found'), { kind: 'first-found' });
  assert.deepEqual(parseDetectionMethod('interface=ens33, eth.*'), {
    kind: 'interface',
    patterns: [/ens33/, /eth.*/],
  });
  assert.deepEqual(parseDetectionMethod('skip-interface=^br-'), {
    kind: 'skip-interface',
    patterns: [/^br-/],
  });
  assert.deepEqual(parseDetectionMethod('can-reach=www.example.org'), {
    kind: 'can-reach',
    destination: 'www.example.org',
  });
  assert.deepEqual(parseDetectionMethod('cidr=192.168.80.0/24,fd00::/64'), {
    kind: 'cidr',
    prefixes: [parsePrefix('192.168.80.0/24'), parsePrefix('fd00::/64')],
  });
  assert.deepEqual(parseDetectionMethod('kubernetes-internal-ip'), {
    kind: 'kubernetes-internal-ip',
  });
});

test('parseDetectionMethod() says what it would accept', () => {
  for (const [text, message] of [
    ['first', /expected first-found, interface=/],
    ['interface=', /expected first-found, interface=/],
    ['interface=[', /"\[" is not a regular expression/],
    ['cidr=300.0.0.0/8', /"300\.0\.0\.0\/8" is not a CIDR/],
    ['mac=aa', /"mac=aa": expected/],
  ] as const) {
    assert.throws(
      () => parseDetectionMethod(text),
      (cause) => cause instanceof DetectionMethodError && message.test(cause.message),
      text,
    );
  }
});
