import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bitsOf, keyBytes, keyInterval, successor } from './key_bytes.ts';
import type { KeyType } from './ruleset.ts';

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

const KEYS: readonly (readonly [readonly KeyType[], string, string])[] = [
  [['ipv4_addr'], '10.65.0.1', '0a410001'],
  [['ipv6_addr'], 'fd00::1', 'fd000000000000000000000000000001'],
  [['inet_service'], '8080', '1f90'],
  [['inet_proto'], '132', '84'],
  [['ifname'], 'cali1', `63616c6931${'00'.repeat(11)}`],
  [['ipv4_addr', 'inet_service'], '10.65.0.1 . 80', '0a41000100500000'],
  [['ifname', 'ipv4_addr'], 'cali1 . 10.0.0.1', `63616c6931${'00'.repeat(11)}0a000001`],
];

test('keyBytes() pads the parts of a concatenation to four bytes', () => {
  for (const [key, element, expected] of KEYS) assert.equal(hex(keyBytes(key, element)), expected);
  assert.throws(() => keyBytes(['inet_service'], '65536'), RangeError);
  assert.throws(() => keyBytes(['ipv4_addr', 'inet_service'], '10.0.0.1'), RangeError);
});

const INTERVALS: readonly (readonly [readonly KeyType[], string, string, string])[] = [
  [['ipv4_addr'], '10.0.0.0/9', '0a000000', '0a7fffff'],
  [['ipv4_addr'], '10.0.0.5-10.0.0.9', '0a000005', '0a000009'],
  [['ipv6_addr'], 'fd00::/64', `fd${'00'.repeat(15)}`, `fd${'00'.repeat(7)}${'ff'.repeat(8)}`],
  [['inet_service'], '80-443', '0050', '01bb'],
  [['inet_service'], '80', '0050', '0050'],
  [
    ['ifname', 'ipv4_addr'],
    'a-b . 10.0.0.0/8',
    `612d62${'00'.repeat(13)}0a000000`,
    `612d62${'00'.repeat(13)}0affffff`,
  ],
  [
    ['ipv4_addr', 'inet_proto', 'inet_service'],
    '10.0.0.0/8 . 6 . 80-90',
    '0a0000000600000000500000',
    '0affffff06000000005a0000',
  ],
];

test('keyInterval() gives the first and the last value of prefixes and ranges', () => {
  for (const [key, element, first, last] of INTERVALS) {
    const found = keyInterval(key, element);
    assert.deepEqual([hex(found.first), hex(found.last)], [first, last], element);
  }
});

test('successor() carries over, and there is none behind the last value', () => {
  assert.equal(hex(successor(Uint8Array.of(10, 255, 255))), '0b0000');
  assert.equal(successor(Uint8Array.of(255, 255)), undefined);
});

test('bitsOf() counts the bits of a prefix in one byte', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((index) => bitsOf(12, index)),
    [8, 4, 0, 0],
  );
});
