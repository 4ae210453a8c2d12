import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { listChanges } from './list_changes.ts';

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
