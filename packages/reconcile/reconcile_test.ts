import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MapTarget } from './map_target.ts';
import { apply, diff } from './reconcile.ts';

const same = (a: string, b: string): boolean => a === b;

test('apply(diff()) converges from any state to any state, and then diff() is empty', async () => {
  const state = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.constantFrom('1', '2'));
  await fc.assert(
    fc.asyncProperty(state, state, async (from, to) => {
      const target = new MapTarget(from);
      const desired = new Map(Object.entries(to));
      assert.deepEqual(await apply(diff(desired, await target.list(), same), target), []);
      assert.deepEqual(
        [...target.entries].toSorted(([a], [b]) => (a < b ? -1 : 1)),
        [...desired].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      );
      assert.deepEqual(diff(desired, await target.list(), same), []);
    }),
  );
});

test('diff() puts before it removes', () => {
  const changes = diff(new Map([['new', '1']]), new Map([['old', '1']]), same);
  assert.deepEqual(
    changes.map(({ kind, key }) => `${kind} ${key}`),
    ['put new', 'remove old'],
  );
});

test('apply() goes on after a failed change and reports it', async () => {
  const target = new MapTarget({ old: 'x' });
  target.refused.add('a');
  const desired = new Map([
    ['a', '1'],
    ['b', '2'],
  ]);
  const failures = await apply(diff(desired, await target.list(), same), target);
  assert.deepEqual(
    failures.map(({ change }) => change.key),
    ['a'],
  );
  assert.deepEqual([...target.entries.keys()], ['b']);
});
