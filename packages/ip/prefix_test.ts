import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  addressAt,
  comparePrefixes,
  firstAddress,
  formatAddress,
  formatPrefix,
  hostPrefix,
  IpError,
  lastAddress,
  ordinalOf,
  type Prefix,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixOf,
  prefixSize,
  samePrefix,
  subnets,
} from './mod.ts';

const anyPrefix: fc.Arbitrary<Prefix> = fc.oneof(
  fc
    .tuple(fc.bigInt({ min: 0n, max: 0xffff_ffffn }), fc.integer({ min: 0, max: 32 }))
    .map(([value, length]) => prefixOf({ family: 4, value }, length)),
  fc
    .tuple(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), fc.integer({ min: 0, max: 128 }))
    .map(([value, length]) => prefixOf({ family: 6, value }, length)),
);

test('parsePrefix() round-trips', () => {
  fc.assert(
    fc.property(anyPrefix, (prefix) => {
      assert.deepEqual(parsePrefix(formatPrefix(prefix)), prefix);
    }),
    { numRuns: 2000 },
  );
});

test('parsePrefix() takes a lone address as the prefix of one address', () => {
  assert.equal(formatPrefix(parsePrefix('10.0.0.1')), '10.0.0.1/32');
  assert.equal(formatPrefix(parsePrefix('fd00::1')), 'fd00::1/128');
  assert.deepEqual(parsePrefix('fd00::1'), hostPrefix(parseAddress('fd00::1')));
});

test('parsePrefix() refuses host bits unless told to clear them', () => {
  assert.throws(() => parsePrefix('10.0.0.1/24'), {
    name: 'IpError',
    message:
      'Cannot parse prefix "10.0.0.1/24": bits behind the length are set, expected "10.0.0.0/24"',
  });
  assert.equal(formatPrefix(parsePrefix('10.0.0.1/24', { hostBits: 'clear' })), '10.0.0.0/24');
});

test('parsePrefix() refuses wrong lengths', () => {
  for (const text of [
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    'fd00::/129',
    '/8',
    '10.0.0.0/8/8',
  ]) {
    assert.throws(() => parsePrefix(text), IpError, text);
  }
});

test('parseInterfaceAddress() keeps the address and its network', () => {
  const { address, prefix } = parseInterfaceAddress('192.168.80.100/24');
  assert.equal(formatAddress(address), '192.168.80.100');
  assert.equal(formatPrefix(prefix), '192.168.80.0/24');
});

test('prefixContains() agrees with the range of addresses', () => {
  fc.assert(
    fc.property(anyPrefix, anyPrefix, (a, b) => {
      const inside =
        a.family === b.family && a.value <= b.value && lastAddress(b).value <= lastAddress(a).value;
      assert.equal(prefixContains(a, b), inside);
      const overlap =
        a.family === b.family && a.value <= lastAddress(b).value && b.value <= lastAddress(a).value;
      assert.equal(prefixesOverlap(a, b), overlap);
    }),
    { numRuns: 2000 },
  );
});

test('prefixContains() takes addresses', () => {
  const block = parsePrefix('10.244.58.192/26');
  assert.ok(prefixContains(block, parseAddress('10.244.58.193')));
  assert.ok(!prefixContains(block, parseAddress('10.244.59.0')));
  assert.ok(!prefixContains(parsePrefix('0.0.0.0/0'), parseAddress('::')));
});

test('addressAt() and ordinalOf() are inverse and stay inside', () => {
  const block = parsePrefix('10.244.58.192/26');
  for (let ordinal = 0; ordinal < 64; ordinal++) {
    assert.equal(ordinalOf(block, addressAt(block, ordinal)), ordinal);
  }
  assert.equal(formatAddress(lastAddress(block)), '10.244.58.255');
  assert.equal(formatAddress(firstAddress(block)), '10.244.58.192');
  assert.equal(prefixSize(block), 64n);
  assert.throws(() => addressAt(block, 64), IpError);
  assert.throws(() => addressAt(block, -1), IpError);
  assert.throws(() => ordinalOf(block, parseAddress('10.244.59.0')), IpError);
  assert.throws(() => ordinalOf(parsePrefix('::/0'), parseAddress('ffff::')), IpError);
});

test('subnets() lists every block once, in order', () => {
  const blocks = [...subnets(parsePrefix('10.244.0.0/24'), 26)].map(formatPrefix);
  assert.deepEqual(blocks, [
    '10.244.0.0/26',
    '10.244.0.64/26',
    '10.244.0.128/26',
    '10.244.0.192/26',
  ]);
  assert.equal([...subnets(parsePrefix('fd00::/116'), 122)].length, 64);
  assert.equal([...subnets(parsePrefix('0.0.0.0/0'), 1)].length, 2);
  assert.throws(() => [...subnets(parsePrefix('10.0.0.0/24'), 16)], IpError);
});

test('comparePrefixes() puts the wider first', () => {
  const sorted = ['fd00::/8', '10.0.0.0/16', '9.0.0.0/32', '10.0.0.0/8']
    .map((text) => parsePrefix(text))
    .toSorted(comparePrefixes)
    .map(formatPrefix);
  assert.deepEqual(sorted, ['9.0.0.0/32', '10.0.0.0/8', '10.0.0.0/16', 'fd00::/8']);
  assert.ok(samePrefix(parsePrefix('10.0.0.0/8'), parsePrefix('10.0.0.0/8')));
  assert.ok(!samePrefix(parsePrefix('10.0.0.0/8'), parsePrefix('10.0.0.0/9')));
});
