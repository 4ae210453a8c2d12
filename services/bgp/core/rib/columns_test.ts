import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyRows, copySparseRows, emptyLike, roomOf, withRow } from './columns.ts';

test('a column keeps what it holds as it grows, and new places hold zero', () => {
  let column = new Int32Array(64);
  for (let row = 0; row < 100_000; row++) {
    column = withRow(column, row);
    assert.equal(column[row], 0);
    column[row] = row + 1;
  }
  assert.ok(column.subarray(0, 100_000).every((value, row) => value === row + 1));
  assert.ok(column.subarray(100_000).every((value) => value === 0));
});

test('a large column is not copied again for every few more rows', () => {
  let column = new Uint8Array(64);
  let copies = 0;
  for (let row = 0; row < 2_000_000; row += 64) {
    const before = column;
    column = withRow(column, row);
    copies += Number(column !== before);
  }
  assert.equal(copies, 11);
});

test('columns of a large table are not copied all at once', () => {
  const columns = Array.from({ length: 8 }, () => new Uint8Array(64));
  const grownAt: number[] = [];
  for (let row = 0; row < 3_200_000; row += 64) {
    for (const [index, before] of columns.entries()) {
      const column = withRow(before, row);
      if (column !== before && row > 2_000_000) grownAt.push(row);
      columns[index] = column;
    }
  }
  assert.equal(grownAt.length, columns.length);
  const apart = grownAt.slice(1).map((row, index) => row - (grownAt[index] as number));
  assert.ok(apart.every((rows) => rows >= 32_768));
  assert.ok(roomOf(...columns) > 3_200_000);
});

test('there is a place for a row far behind the end', () => {
  assert.ok(withRow(new Uint16Array(64), 3_000_000).length > 3_000_000);
});

test('a column is copied some rows at a time', () => {
  const column = withRow(new Int32Array(64), 70_000);
  column.set([0, 7, 0, 8, 9]);
  for (const copySome of [copyRows<Int32Array>, copySparseRows]) {
    const copy = emptyLike(column);
    assert.equal(copy.length, column.length);
    copySome(column, copy, 1, 4);
    assert.deepEqual([...copy.subarray(0, 6)], [0, 7, 0, 8, 0, 0]);
    copySome(column, copy, 4, column.length + 10);
    copySome(column, copy, column.length + 10, column.length + 20);
    assert.deepEqual(copy, column);
  }
});
