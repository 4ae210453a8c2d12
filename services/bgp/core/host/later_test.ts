import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Later } from './later.ts';

test('what is asked for again and again is done once per turn, and not after the end', () => {
  const turns: (() => void)[] = [];
  let done = 0;
  const later = new Later(
    (callback) => turns.push(callback),
    () => {
      done += 1;
      if (done === 1) later.ask();
    },
  );
  later.ask();
  later.ask();
  assert.deepEqual([turns.length, done], [1, 0]);
  turns.shift()?.();
  assert.deepEqual([turns.length, done], [1, 1]);
  later.stop();
  turns.shift()?.();
  assert.deepEqual([turns.length, done], [0, 1]);
});
