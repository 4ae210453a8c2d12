import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPercent, formatShort } from './numbers.ts';

test('formatShort() writes as %.5g does', () => {
  for (const [value, text] of [
    [0, '0'],
    [5, '5'],
    [64, '64'],
    [100, '100'],
    [65_536, '65536'],
    [65_531, '65531'],
    [131_072, '1.3107e+05'],
    [1_048_576, '1.0486e+06'],
    [100_000, '1e+05'],
    [2 ** 80, '1.2089e+24'],
  ] as const) {
    assert.equal(formatShort(value), text);
  }
});

test('formatPercent() rounds as %.f does', () => {
  for (const [part, whole, text] of [
    [5, 65_536, '0%'],
    [65_531, 65_536, '100%'],
    [5, 64, '8%'],
    [59, 64, '92%'],
    [1, 200, '0%'],
    [3, 200, '2%'],
    [5, 200, '2%'],
    [0, 0, '0%'],
  ] as const) {
    assert.equal(formatPercent(part, whole), text);
  }
});
