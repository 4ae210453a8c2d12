import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDurationSeconds } from './duration.ts';

test('parseDurationSeconds() reads the texts of Go', () => {
  for (const [text, seconds] of [
    ['0', 0],
    ['90s', 90],
    ['1m30s', 90],
    ['1.5h', 5400],
    ['250ms', 0.25],
    ['2m0s', 120],
  ] as const) {
    assert.equal(parseDurationSeconds(text), seconds, text);
  }
});

test('parseDurationSeconds() refuses everything else', () => {
  for (const text of ['', '90', 's', '-5s', '5 s', '1m30']) {
    assert.throws(() => parseDurationSeconds(text), RangeError, text);
  }
});
