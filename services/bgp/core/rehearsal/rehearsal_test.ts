import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rehearsal } from './rehearsal.ts';

test('Rehearsal plays tables that come, change and go', () => {
  const rehearsal = new Rehearsal();
  const seen: string[] = [];
  for (let actor = 0; actor < 3; actor++) assert.ok(rehearsal.next());
  for (let scene = 0; scene < 4; scene++) {
    rehearsal.next();
    seen.push(`${rehearsal.paths} paths, ${rehearsal.kernelRoutes} routes`);
  }
  // Two peers tell the same.
  const table = '256 paths, 128 routes';
  assert.deepEqual(seen, [table, table, '0 paths, 0 routes', table]);
});

test('Rehearsal ends with empty tables', () => {
  const rehearsal = new Rehearsal();
  while (rehearsal.next());
  assert.equal(rehearsal.paths, 0);
  assert.equal(rehearsal.kernelRoutes, 0);
});
