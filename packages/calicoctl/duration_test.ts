import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandError } from './command_error.ts';
import { parseDuration } from './duration.ts';

test('parseDuration() reads up to a day, by default in seconds', () => {
  const texts = ['0', '1.5', '500ms', '30s', '2m', '24h'];
  assert.deepEqual(texts.map(parseDuration), [0, 1500, 500, 30_000, 120_000, 86_400_000]);
});

test('parseDuration() refuses what is no duration, or too long for a timer', () => {
  for (const text of ['', 's', '-1s', '1d', '1 s']) {
    assert.throws(() => parseDuration(text), CommandError);
  }
  assert.throws(
    () => parseDuration('720h'),
    new CommandError('Cannot wait for "720h": expected at most "24h"'),
  );
});
