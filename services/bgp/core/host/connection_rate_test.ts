import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionRate } from './connection_rate.ts';

test('ten at once, then one a second, for each peer by itself', () => {
  const rate = new ConnectionRate();
  const allowed = (peer: string, now: number, attempts: number): number =>
    Array.from({ length: attempts }, () => rate.allows(peer, now)).filter(Boolean).length;
  assert.equal(allowed('a', 0, 100), 10);
  assert.equal(allowed('b', 0, 3), 3);
  assert.equal(allowed('a', 999, 5), 0);
  assert.equal(allowed('a', 2_000, 5), 2);
  assert.equal(allowed('a', 3_600_000, 100), 10);
  rate.forget('a');
  assert.equal(allowed('a', 3_600_000, 100), 10);
});
