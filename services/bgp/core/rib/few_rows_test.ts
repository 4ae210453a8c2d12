import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FewRows } from './few_rows.ts';

test('few rows are remembered, and all are looked for after many', () => {
  const few = new FewRows();
  for (const row of [7, 9]) few.add(row);
  assert.deepEqual(few.take([4]), [7, 9]);
  assert.deepEqual(few.take([4, 6]), [], 'taken is taken');
  for (let row = 0; row < 5_000; row++) few.add(row);
  assert.equal(few.take([4]), undefined);
  few.add(1);
  few.clear([6]);
  few.add(2);
  assert.equal(few.take([4]), undefined, 'nobody has looked for those of this family');
  assert.equal(few.take([4, 6]), undefined);
  assert.deepEqual(few.take([6]), [2]);
  few.clear([4]);
  assert.deepEqual(few.take([4, 6]), []);
});
