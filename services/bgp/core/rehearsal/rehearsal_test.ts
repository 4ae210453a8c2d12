import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rehearsal } from './rehearsal.ts';

test('Rehearsal plays tables that come, change and go', () => {
  const rehearsal = new Rehearsal();
  const seen: string[] = [];
  while (rehearsal.next()) seen.push(`${rehearsal.paths} paths, ${rehearsal.kernelRoutes} routes`);
  // Two peers tell the same: message by message first, then in one go.
  const table = '256 paths, 128 routes';
  const growing = ['0 paths, 0 routes', '4 paths, 4 routes', '8 paths, 8 routes'];
  const first = seen.indexOf('4 paths, 4 routes');
  assert.deepEqual(seen.slice(first - 1, first + 2), growing);
  assert.deepEqual(seen.slice(-2), [table, '128 paths, 128 routes']);
});

test('Rehearsal ends with empty tables', () => {
  const rehearsal = new Rehearsal();
  while (rehearsal.next());
  assert.equal(rehearsal.paths, 0);
  assert.equal(rehearsal.kernelRoutes, 0);
});
