import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { rangeOf } from '../address_ranges.ts';
import { blocksOf } from './blocks.ts';
import { disjointBoxes } from './boxes.ts';
import type { Column, Range } from './shape.ts';

const COLUMNS: readonly Column[] = ['saddr', 'dport'];
const port = (number: number): Range => ({ first: BigInt(number), last: BigInt(number) });
const net = (text: string): Range => rangeOf(parsePrefix(text));

test('blocksOf() cuts nets to the length of the narrowest', () => {
  const boxes = [
    { owner: 0, box: [net('10.0.0.0/23'), port(80)] },
    { owner: 1, box: [net('10.0.2.0/24'), port(81)] },
  ];
  const blocks = blocksOf(boxes, COLUMNS, 4, 3);
  assert.deepEqual(blocks?.lengths, [24, undefined]);
  assert.deepEqual(
    blocks?.boxes.map(({ owner, box }) => [owner, ...box.map(({ first }) => first)]),
    [
      [0, 0x0a000000n, 80n],
      [0, 0x0a000100n, 80n],
      [1, 0x0a000200n, 81n],
    ],
  );
  assert.equal(blocksOf(boxes, COLUMNS, 4, 2), undefined);
});

test('blocksOf() does not take ranges of ports', () => {
  const boxes = [{ owner: 0, box: [net('10.0.0.0/24'), { first: 80n, last: 81n }] }];
  assert.equal(blocksOf(boxes, COLUMNS, 4, 1000), undefined);
});

const prefix = fc.tuple(fc.integer({ min: 20, max: 32 }), fc.nat(0xfff)).map(([length, host]) => {
  const first = 0x0a000000n + ((BigInt(host) >> BigInt(32 - length)) << BigInt(32 - length));
  return { first, last: first + (1n << BigInt(32 - length)) - 1n };
});

test('a block has exactly the addresses of its box', () => {
  const products = fc.array(
    fc
      .tuple(prefix, fc.integer({ min: 1, max: 3 }))
      .map(([one, number]) => [[one], [port(number)]]),
    { minLength: 1, maxLength: 6 },
  );
  fc.assert(
    fc.property(
      products,
      fc.array(fc.tuple(fc.nat(0xfff), fc.integer({ min: 1, max: 3 }))),
      (all, some) => {
        const boxes = disjointBoxes(all, 1000) ?? [];
        const blocks = blocksOf(boxes, COLUMNS, 4, 100_000);
        assert.ok(blocks);
        const [length = 32] = blocks.lengths;
        const byKey = new Map(
          blocks.boxes.map(({ owner, box }) => [box.map(({ first }) => first).join(), owner]),
        );
        assert.equal(byKey.size, blocks.boxes.length);
        for (const [host, number] of some) {
          const address = 0x0a000000n + BigInt(host);
          const zeros = BigInt(32 - length);
          const found = byKey.get(`${(address >> zeros) << zeros},${number}`);
          const expected = boxes.find(({ box: [from, to] }) => {
            const isIn = from !== undefined && from.first <= address && address <= from.last;
            return isIn && to?.first === BigInt(number);
          });
          assert.equal(found, expected?.owner);
        }
      },
    ),
  );
});
