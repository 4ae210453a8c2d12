import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  type Address,
  addressBytes,
  addressFromBytes,
  compareAddresses,
  formatAddress,
  IpError,
  parseAddress,
  sameAddress,
} from './mod.ts';

const v4: fc.Arbitrary<Address> = fc
  .bigInt({ min: 0n, max: 0xffff_ffffn })
  .map((value) => ({ family: 4 as const, value }));
const v6: fc.Arbitrary<Address> = fc
  .array(fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn })), {
    minLength: 8,
    maxLength: 8,
  })
  .map((groups) => ({
    family: 6 as const,
    value: groups.reduce((value, group) => (value << 16n) | group, 0n),
  }));
const anyAddress = fc.oneof(v4, v6);

// RFC 5952 sections 1 to 5.
const CANONICAL: readonly (readonly [string, string])[] = [
  ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:DB8::ABCD', '2001:db8::abcd'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['::1', '::1'],
  ['fd00::', 'fd00::'],
  ['0:0:0:0:0:ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['::ffff:c000:201', '::ffff:192.0.2.1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['10.0.0.1', '10.0.0.1'],
  ['255.255.255.255', '255.255.255.255'],
];

const INVALID = [
  '',
  '10',
  '10.0.0',
  '10.0.0.0.1',
  '10.0.0.256',
  '10.0.0.01',
  '10.0.0.-1',
  '10.0.0.1 ',
  ' 10.0.0.1',
  '0x0a.0.0.1',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  'fd00::12345',
  'fd00::g',
  'fe80::1%eth0',
  '::10.0.0',
  '1.2.3.4::',
  'example.org',
];

test('formatAddress() writes the canonical text', () => {
  for (const [text, canonical] of CANONICAL) {
    assert.equal(formatAddress(parseAddress(text)), canonical);
  }
});

test('parseAddress() refuses everything else and quotes it', () => {
  for (const text of INVALID) {
    assert.throws(
      () => parseAddress(text),
      (cause) => cause instanceof IpError && cause.message.includes(`"${text}"`),
      text,
    );
  }
});

test('parseAddress() names the part that is wrong', () => {
  assert.throws(() => parseAddress('10.0.0.256'), {
    name: 'IpError',
    message:
      'Cannot parse address "10.0.0.256": "256" is not a number from 0 to 255 without leading zeros',
  });
});

test('addresses round-trip through text and bytes', () => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      assert.deepEqual(parseAddress(formatAddress(address)), address);
      assert.deepEqual(addressFromBytes(addressBytes(address)), address);
    }),
    { numRuns: 2000 },
  );
});

test('parseAddress() returns or throws IpError on any text', () => {
  const text = fc.string({ unit: fc.constantFrom(...'0123456789abcdf.:/%x '.split('')) });
  fc.assert(
    fc.property(text, (input) => {
      try {
        assert.ok(parseAddress(input).value >= 0n);
      } catch (cause) {
        assert.ok(cause instanceof IpError);
      }
    }),
    { numRuns: 2000 },
  );
});

test('addressFromBytes() reads a view at an offset and refuses other lengths', () => {
  const bytes = new Uint8Array([9, 9, 10, 0, 0, 1]).subarray(2);
  assert.equal(formatAddress(addressFromBytes(bytes)), '10.0.0.1');
  for (const length of [0, 3, 5, 15, 17]) {
    assert.throws(() => addressFromBytes(new Uint8Array(length)), IpError);
  }
});

test('compareAddresses() is a total order with IPv4 first', () => {
  const low = parseAddress('10.0.0.2');
  const high = parseAddress('10.0.0.10');
  assert.ok(compareAddresses(low, high) < 0);
  assert.ok(compareAddresses(high, low) > 0);
  assert.ok(compareAddresses(high, parseAddress('::')) < 0);
  assert.ok(sameAddress(low, parseAddress('10.0.0.2')));
  assert.ok(!sameAddress(parseAddress('0.0.0.1'), parseAddress('::1')));
});
