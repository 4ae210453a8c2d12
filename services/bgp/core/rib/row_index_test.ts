import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../testing/simulated_network.ts';
import { hashBytes, RowIndex } from './row_index.ts';

function rowsOf(index: RowIndex, hash: number): number[] {
  const rows: number[] = [];
  for (let row = index.firstOf(hash); row >= 0; row = index.after(row)) {
    if (index.hashOf(row) === hash) rows.push(row);
  }
  return rows.toSorted((a, b) => a - b);
}

const hashOf = (row: number): number => Math.imul(row + 1, 0x9e37_79b1) & 0x7fff_ffff;

test('RowIndex finds what was added and not removed, also where hashes meet', () => {
  const random = seededRandom(1);
  const index = new RowIndex();
  const model = new Map<number, number>();
  for (let step = 0; step < 5_000; step++) {
    const row = Math.floor(random() * 400);
    const hash = Math.floor(random() * 40) * 97;
    if (model.delete(row)) index.remove(row);
    else {
      index.add(row, hash);
      model.set(row, hash);
    }
    assert.equal(index.size, model.size);
    if (step % 100 !== 0) continue;
    for (let each = 0; each < 40 * 97; each += 97) {
      const wanted = [...model].flatMap(([held, its]) => (its === each ? held : []));
      assert.deepEqual(
        rowsOf(index, each),
        wanted.toSorted((a, b) => a - b),
      );
    }
  }
});

test('RowIndex finds each of very many rows, while they come and when half have gone', () => {
  const index = new RowIndex();
  for (let row = 0; row < 100_000; row++) index.add(row, hashOf(row));
  for (let row = 0; row < 100_000; row += 2) index.remove(row);
  for (let row = 0; row < 100_000; row++) {
    assert.deepEqual(rowsOf(index, hashOf(row)), row % 2 === 0 ? [] : [row]);
  }
});

test('hashBytes() depends on every octet, their order and the seed', () => {
  const bytes = Uint8Array.from({ length: 23 }, (_, at) => at);
  const hashes = new Set([hashBytes(bytes, 0, 23, 0), hashBytes(bytes, 0, 23, 1)]);
  for (let at = 0; at < 23; at++) {
    for (const value of [0x80, 0xff]) hashes.add(hashBytes(bytes.with(at, value), 0, 23, 0));
  }
  hashes.add(hashBytes(bytes.toReversed(), 0, 23, 0));
  assert.equal(hashes.size, 2 + 46 + 1);
  assert.equal(
    hashBytes(Uint8Array.of(9, 1, 2, 9), 1, 3, 5),
    hashBytes(Uint8Array.of(1, 2), 0, 2, 5),
  );
});
