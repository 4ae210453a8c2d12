import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAMED, restOf, shortened } from './shortened.ts';

function problems(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${at}`);
}

test('so many problems are named, and the others counted', () => {
  assert.deepEqual(shortened([], 0, 'are wrong'), []);
  assert.deepEqual(shortened(problems(NAMED), NAMED, 'are wrong'), problems(NAMED));
  const many = shortened(problems(1_000), 1_000, 'are wrong');
  assert.deepEqual(many, [...problems(NAMED), `${1_000 - NAMED} more are wrong`]);
});

test('what is said of the others can be told from problems that are named', () => {
  const many = shortened(problems(NAMED + 3), NAMED + 3, 'routes "a" are wrong');
  assert.deepEqual(many.map(restOf).slice(-2), [undefined, 'more routes "a" are wrong']);
  assert.equal(restOf('Node "7 more": unknown'), undefined);
});
