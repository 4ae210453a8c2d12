import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseJson } from './lossless_json.ts';
import { formatNumbers, type SequenceNumbers, withNumber } from './sequence_numbers.ts';

test('formatNumbers() writes members in the order of their texts, and nothing for free ordinals', () => {
  const numbers = Array.from({ length: 12 }, (_, ordinal) =>
    ordinal === 3 ? undefined : 2n ** 60n + BigInt(ordinal),
  );
  const members = [0, 1, 10, 11, 2, 4, 5, 6, 7, 8, 9];
  const expected = members.map((ordinal) => `"${ordinal}":${2n ** 60n + BigInt(ordinal)}`);
  assert.equal(formatNumbers(numbers), `{${expected.join()}}`);
  assert.equal(formatNumbers([]), '{}');
});

test('withNumber() any number of times is written as if it had been made at once', () => {
  const change = fc.record({
    ordinals: fc.array(fc.nat(15), { maxLength: 4 }),
    number: fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n }), { nil: undefined }),
    isWritten: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const plain: (bigint | undefined)[] = Array.from({ length: 16 }, () => undefined);
      let numbers: SequenceNumbers = [...plain];
      for (const { ordinals, number, isWritten } of changes) {
        const before = [...numbers];
        const from = numbers;
        if (isWritten) formatNumbers(numbers);
        numbers = withNumber(numbers, ordinals, number);
        for (const ordinal of ordinals) plain[ordinal] = number;
        assert.deepEqual(from, before);
      }
      assert.deepEqual(numbers, plain);
      assert.equal(formatNumbers(numbers), formatNumbers([...plain]));
      const read = parseJson(formatNumbers(numbers)) as Record<string, unknown>;
      for (const [ordinal, number] of plain.entries()) {
        const found = read[ordinal] as bigint | number | undefined;
        assert.equal(found === undefined ? undefined : BigInt(found), number);
      }
    }),
  );
});
