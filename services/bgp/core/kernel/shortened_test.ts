import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAMED, shortened } from './shortened.ts';

function rest(more: number): string {
  return `and ${more} more`;
}

function problems(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${at}`);
}

test('so many problems are named, and the others counted', () => {
  assert.deepEqual(shortened([], 0, rest), []);
  assert.deepEqual(shortened(problems(NAMED), NAMED, rest), problems(NAMED));
  const many = shortened(problems(1_000), 1_000, rest);
  assert.deepEqual(many, [...problems(NAMED), `and ${1_000 - NAMED} more`]);
});
