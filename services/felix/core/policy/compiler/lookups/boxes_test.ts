import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { disjointBoxes } from './boxes.ts';
import { overlap, type Range } from './shape.ts';

const MOST = 4;
const within = (range: Range, point: number): boolean =>
  range.first <= BigInt(point) && BigInt(point) <= range.last;
/** Sorted, without overlaps. */
const ranges = fc
  .uniqueArray(fc.integer({ min: 0, max: MOST }), { minLength: 1, maxLength: 4 })
  .map((points) => {
    const sorted = points.toSorted((a, b) => a - b);
    return sorted.flatMap((first, index): Range[] => {
      if (index % 2 === 1) return [];
      return [{ first: BigInt(first), last: BigInt(sorted[index + 1] ?? first) }];
    });
  });
const products = fc
  .integer({ min: 1, max: 3 })
  .chain((columns) =>
    fc.array(fc.array(ranges, { minLength: columns, maxLength: columns }), { maxLength: 5 }),
  );

test('disjointBoxes() gives every point to the first that covers it, once', () => {
  fc.assert(
    fc.property(
      products,
      fc.array(fc.integer({ min: 0, max: MOST }), { minLength: 3 }),
      (all, at) => {
        const boxes = disjointBoxes(all, 10_000);
        const found = boxes?.filter(({ box }) =>
          box.every((one, index) => within(one, at[index] ?? 0)),
        );
        const first = all.findIndex((product) =>
          product.every((column, index) => column.some((one) => within(one, at[index] ?? 0))),
        );
        assert.deepEqual(
          found?.map(({ owner }) => owner),
          first < 0 ? [] : [first],
        );
      },
    ),
    { numRuns: 3000 },
  );
});

test('disjointBoxes() makes no two that overlap, and gives up when they would be too many', () => {
  fc.assert(
    fc.property(products, (all) => {
      const boxes = disjointBoxes(all, 10_000) ?? [];
      for (const [index, { box }] of boxes.entries()) {
        for (const other of boxes.slice(index + 1)) {
          assert.ok(!box.every((range, column) => overlap(range, other.box[column] as Range)));
        }
      }
      if (boxes.length > 0) assert.equal(disjointBoxes(all, boxes.length - 1), undefined);
      assert.equal(disjointBoxes(all, boxes.length)?.length, boxes.length);
    }),
  );
});
