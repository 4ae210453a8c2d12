import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NAMED, shortened } from '../core/kernel/shortened.ts';
import { few, Problems } from './problems.ts';

function names(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${kind} ${index}`);
}

function problems(first: readonly string[], second: readonly string[]): Problems {
  return new Problems([
    ...shortened(first, first.length, 'of the first'),
    ...shortened(second, second.length, 'of the second'),
  ]);
}

test('few() names the first of very many problems', () => {
  const many = names('problem', 100);
  assert.deepEqual(few(many).slice(-2), ['problem 19', 'and 80 more']);
  assert.equal(few(many.slice(0, 20)).length, 20);
});

test('what is new and what is over, of two kinds of which one has too many', () => {
  const [a, b] = [names('a', 3 * NAMED), names('b', NAMED)];
  const before = problems(a, b);
  const after = problems(a.slice(1), b.slice(1));
  assert.deepEqual(after.newSince(before), [`a ${NAMED}`]);
  assert.deepEqual(after.overSince(before), ['b 0']);
  assert.deepEqual(problems(a, b).newSince(before), []);
  assert.deepEqual(problems([], b).overSince(before).slice(-2), ['a 19', '40 more of the first']);
});

test('both kinds have too many: what leaves the named ones may go on', () => {
  const [a, b] = [names('a', 3 * NAMED), names('b', 3 * NAMED)];
  const before = problems(a, b);
  assert.deepEqual(problems(a.slice(1), b.slice(2)).overSince(before), []);
  assert.deepEqual(problems(a.slice(1), b.slice(2, 5)).overSince(before).length, NAMED - 3 + 1);
});
