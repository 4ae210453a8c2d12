import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProtocolError } from './errors.ts';
import { decodeOpen, encodeOpen, type Open } from './open.ts';
import { fromHex } from './testing.ts';

const HEAD = '04 fc00 00f0 c0a85064';

function refusal(hex: string): readonly [number, number, string] {
  try {
    decodeOpen(fromHex(hex));
  } catch (cause) {
    const error = cause as ProtocolError;
    return [error.code, error.subcode, error.message];
  }
  return assert.fail('accepted');
}

test('decodeOpen() refuses with the subcode that RFC 4271 names', () => {
  for (const [hex, subcode] of [
    ['03 fc00 00f0 c0a85064 00', 1],
    ['04 0000 00f0 c0a85064 00', 2],
    ['04 fc00 00f0 00000000 00', 3],
    [`${HEAD} 03 05 01 00`, 4],
    ['04 fc00 0001 c0a85064 00', 6],
    ['04 fc00 0002 c0a85064 00', 6],
    [`${HEAD} 05 02 01 00`, 0],
    [`${HEAD} 04 02 02 41 04`, 0],
    [`${HEAD} 00 00`, 0],
    ['04 fc00', 0],
  ] as const) {
    assert.deepEqual(refusal(hex).slice(0, 2), [2, subcode], hex);
  }
});

test('decodeOpen() reads several capabilities in one parameter', () => {
  const { capabilities } = decodeOpen(fromHex(`${HEAD} 0a 02 08 02 00 01 04 0001 00 01`));
  assert.deepEqual(capabilities, [
    { kind: 'route-refresh' },
    { kind: 'multiprotocol', afi: 1, safi: 1 },
  ]);
});

test('decodeOpen() keeps a known capability of a wrong length as unknown', () => {
  const { capabilities } = decodeOpen(fromHex(`${HEAD} 05 02 03 41 01 07`));
  assert.deepEqual(capabilities, [{ kind: 'unknown', code: 65, value: fromHex('07') }]);
});

test('decodeOpen() reads extended optional parameters (RFC 9072)', () => {
  const { capabilities } = decodeOpen(fromHex(`${HEAD} ff ff 0005 02 0002 02 00`));
  assert.deepEqual(capabilities, [{ kind: 'route-refresh' }]);
});

test('encodeOpen() goes over to extended parameters when they exceed 254 bytes', () => {
  const open: Open = {
    kind: 'open',
    asn: 64512,
    holdTimeSeconds: 90,
    routerId: 1,
    capabilities: Array.from({ length: 3 }, (_, index) => ({
      kind: 'unknown',
      code: 200 + index,
      value: new Uint8Array(200).fill(index),
    })),
  };
  const bytes = encodeOpen(open);
  assert.deepEqual([bytes[9], bytes[10]], [255, 255]);
  assert.deepEqual(decodeOpen(bytes), open);
});
