import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  aggregate,
  formatPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixOf,
} from './mod.ts';

const aggregated = (...texts: string[]) =>
  aggregate(texts.map((text) => parsePrefix(text))).map(formatPrefix);

test('aggregate() joins halves, drops the covered and keeps the rest', () => {
  assert.deepEqual(aggregated('10.0.0.0/25', '10.0.0.128/25'), ['10.0.0.0/24']);
  assert.deepEqual(aggregated('10.0.0.128/25', '10.0.1.0/25'), ['10.0.0.128/25', '10.0.1.0/25']);
  assert.deepEqual(aggregated('10.0.0.0/8', '10.1.2.3/32'), ['10.0.0.0/8']);
  assert.deepEqual(aggregated('0.0.0.0/1', '128.0.0.0/1', '::/1', '8000::/1'), [
    '0.0.0.0/0',
    '::/0',
  ]);
  assert.deepEqual(aggregated(), []);
  assert.deepEqual(
    aggregated('10.0.0.0/26', '10.0.0.64/26', '10.0.0.192/26', '10.0.0.128/26', 'fd00::/8'),
    ['10.0.0.0/24', 'fd00::/8'],
  );
});

test('aggregate() covers exactly the same addresses with the fewest prefixes', () => {
  const small: fc.Arbitrary<Prefix> = fc
    .tuple(fc.nat(255), fc.integer({ min: 24, max: 32 }))
    .map(([value, length]) => prefixOf({ family: 4, value: BigInt(value) }, length));
  fc.assert(
    fc.property(fc.array(small, { maxLength: 30 }), (prefixes) => {
      const result = aggregate(prefixes);
      const wanted = Array.from({ length: 256 }, (_, value) => covers(prefixes, value));
      assert.deepEqual(
        Array.from({ length: 256 }, (_, value) => covers(result, value)),
        wanted,
      );
      assert.equal(result.length, fewest(wanted));
      assert.deepEqual(aggregate(result), result);
    }),
    { numRuns: 1000 },
  );
});

function covers(set: readonly Prefix[], value: number): boolean {
  return set.some((each) => prefixContains(each, { family: 4, value: BigInt(value) }));
}

/** Number of aligned runs that a set of addresses needs, by halving. */
function fewest(set: readonly boolean[]): number {
  if (set.every(Boolean)) return 1;
  if (!set.some(Boolean)) return 0;
  return fewest(set.slice(0, set.length / 2)) + fewest(set.slice(set.length / 2));
}
