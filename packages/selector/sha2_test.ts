import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { sha224, sha256 } from './sha2.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const utf8 = new TextEncoder();

test('sha224() and sha256() answer the vectors of FIPS 180-4', () => {
  assert.equal(
    hex(sha224(utf8.encode('abc'))),
    '23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7',
  );
  assert.equal(
    hex(sha256(utf8.encode(''))),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
});

test('sha224() and sha256() agree with the runtime for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(hex(sha224(bytes)), createHash('sha224').update(bytes).digest('hex'));
      assert.equal(hex(sha256(bytes)), createHash('sha256').update(bytes).digest('hex'));
    }),
  );
});
