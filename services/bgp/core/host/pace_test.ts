import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pace } from './pace.ts';

test('pieces grow while they are full and quick, and shrink when they take long', () => {
  const pace = new Pace();
  const after = (tookMs: number, isFull: boolean, times = 1): number => {
    for (let count = 0; count < times; count++) pace.learn(tookMs, isFull);
    return pace.slice;
  };
  assert.equal(after(0, false, 9), 512);
  assert.equal(after(1, true), 1_024);
  assert.equal(after(3, true), 1_024);
  assert.equal(after(1, true, 9), 2_048);
  assert.equal(after(30, false), 1_024);
  assert.equal(after(30, true, 9), 256);
});
