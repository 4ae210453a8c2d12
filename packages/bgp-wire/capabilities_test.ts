import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Capability, decodeCapabilities, encodeCapability } from './capabilities.ts';
import { fromHex, toHex } from './testing.ts';

const RECORDED: readonly (readonly [string, Capability])[] = [
  ['090103', { kind: 'role', role: 'customer' }],
  [
    '470e 0001 01 80 00 0e10 0002 01 00 01 5180',
    {
      kind: 'long-lived-graceful-restart',
      families: [
        { afi: 1, safi: 1, forwarding: true, staleSeconds: 3_600 },
        { afi: 2, safi: 1, forwarding: false, staleSeconds: 86_400 },
      ],
    },
  ],
  [
    '0506 0001 0001 0002',
    { kind: 'extended-next-hop', families: [{ afi: 1, safi: 1, nextHopAfi: 2 }] },
  ],
  [
    '4006 4078 0001 0180',
    {
      kind: 'graceful-restart',
      restarting: false,
      notification: true,
      restartTimeSeconds: 120,
      families: [{ afi: 1, safi: 1, forwarding: true }],
    },
  ],
];

test('capabilities as other speakers write them', () => {
  for (const [hex, capability] of RECORDED) {
    const bytes = fromHex(hex);
    assert.deepEqual(decodeCapabilities(bytes), [capability], hex);
    assert.equal(toHex(encodeCapability(capability)), toHex(bytes), hex);
  }
});

test('the reserved octet of a family says nothing', () => {
  const capability = { kind: 'multiprotocol', afi: 2, safi: 1 };
  assert.deepEqual(decodeCapabilities(fromHex('01 04 0002ff01')), [capability]);
});

test('a role that is unknown, and lengths that do not fit, are kept as they came', () => {
  for (const hex of ['09 01 05', '09 02 0001', '47 06 000101800000']) {
    const bytes = fromHex(hex);
    const value = bytes.slice(2);
    assert.deepEqual(decodeCapabilities(bytes), [{ kind: 'unknown', code: bytes[0], value }], hex);
  }
});
