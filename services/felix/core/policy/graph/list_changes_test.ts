import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { listChanges, unmatched } from './list_changes.ts';

const lists = fc.uniqueArray(fc.integer({ min: 0, max: 12 }));

test('listChanges() finds what only one of the lists has, whatever their order', () => {
  fc.assert(
    fc.property(lists, lists, (before, after) => {
      const { removed, added } = listChanges(before, after);
      const [old, young] = [new Set(before), new Set(after)];
      assert.deepEqual(new Set(removed), old.difference(young));
      assert.deepEqual(new Set(added), young.difference(old));
      assert.equal(removed.length + added.length, old.symmetricDifference(young).size);
    }),
    { numRuns: 2000 },
  );
});

test('listChanges() finds one that was replaced in its place, moved, or shifted all others', () => {
  const long = Array.from({ length: 1000 }, (_, index) => index);
  const at = (index: number, ...more: readonly number[]): number[] =>
    long.toSpliced(index, 1, ...more);
  assert.deepEqual(listChanges(long, at(500, -1)), { removed: [500], added: [-1] });
  assert.deepEqual(listChanges(long, [...at(500), -1]), { removed: [500], added: [-1] });
  assert.deepEqual(listChanges(long, [...at(500), 500]), { removed: [], added: [] });
  assert.deepEqual(listChanges(long, [-1, ...long]), { removed: [], added: [-1] });
});

test('unmatched() keeps step where neighbours go, come or are replaced, also in several places', () => {
  const long = Array.from({ length: 1000 }, (_, index) => index);
  const few = long.filter((element) => element % 100 > 7);
  const expected = long.filter((element) => element % 100 <= 7);
  assert.deepEqual(unmatched(long, few), { removed: expected, added: [] });
  assert.deepEqual(unmatched(few, long), { removed: [], added: expected });
  const others = long.map((element) => (element % 100 > 7 ? element : -1 - element));
  const { removed, added } = unmatched(long, others);
  assert.deepEqual(removed, expected);
  assert.deepEqual(
    added,
    expected.map((element) => -1 - element),
  );
  // Two for one, in two places.
  const fewer = long.toSpliced(700, 2, -1).toSpliced(300, 2, -2);
  assert.deepEqual(unmatched(long, fewer), { removed: [300, 301, 700, 701], added: [-2, -1] });
  // In one place as many as there may be.
  const rest = long.toSpliced(100, 800);
  assert.deepEqual(unmatched(long, rest), { removed: long.slice(100, 900), added: [] });
});
