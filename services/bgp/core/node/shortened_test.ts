import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAMED, shortened } from './shortened.ts';

test('so many problems are named, and the others counted', () => {
  const rest = (more: number): string => `and ${more} more`;
  const problems = (count: number): string[] => Array.from({ length: count }, (_, at) => `${at}`);
  assert.deepEqual(shortened([], 0, rest), []);
  assert.deepEqual(shortened(problems(NAMED), NAMED, rest), problems(NAMED));
  const many = shortened(problems(1_000), 1_000, rest);
  assert.deepEqual(many, [...problems(NAMED), `and ${1_000 - NAMED} more`]);
});
