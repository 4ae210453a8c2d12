import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChangeList, START } from './change_list.ts';

function rowsOf(list: ChangeList): number[] {
  const rows: number[] = [];
  for (let row = list.after(START); row !== START; row = list.after(row)) rows.push(row);
  return rows;
}

test('ChangeList holds rows in the order of their last change', () => {
  const list = new ChangeList();
  for (const row of [3, 1, 200]) list.append(row);
  assert.deepEqual(rowsOf(list), [3, 1, 200]);
  list.remove(3);
  list.append(3);
  assert.deepEqual(rowsOf(list), [1, 200, 3]);
  assert.deepEqual(
    [1, 200, 3].map((row) => list.versionOf(row)),
    [2, 3, 4],
  );
  list.remove(1);
  assert.equal(list.before(200), START);
  assert.equal(list.before(START), 3);
  assert.equal(list.version, 4);
});

test('a copy keeps versions, and goes on where the list was', () => {
  const list = new ChangeList();
  for (const row of [3, 1, 2]) list.append(row);
  for (const row of [1, 2]) list.remove(row);
  const copy = list.beginCopy();
  for (let row = 0; row < 4; row++) list.copyTo(copy, row, row + 1);
  list.append(9);
  copy.append(1);
  assert.deepEqual(rowsOf(copy), [3, 1]);
  assert.deepEqual([copy.versionOf(3), copy.versionOf(1)], [1, 4]);
});
