import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  BfdWireError,
  type ControlPacket,
  decodeControlPacket,
  encodeControlPacket,
} from './control_packet.ts';
import { BfdState, Diagnostic } from './iana.ts';

const HEX = '20a005180badcafe12345678000f4240000493e000000000';

const PACKET: ControlPacket = {
  diagnostic: Diagnostic.None,
  state: BfdState.Init,
  isPoll: true,
  isFinal: false,
  isControlPlaneIndependent: false,
  hasAuthentication: false,
  isDemand: false,
  detectMultiplier: 5,
  myDiscriminator: 0x0badcafe,
  yourDiscriminator: 0x12345678,
  desiredMinTransmit: 1_000_000,
  requiredMinReceive: 300_000,
  requiredMinEchoReceive: 0,
};

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const packets: fc.Arbitrary<ControlPacket> = fc.record({
  diagnostic: fc.integer({ min: 0, max: 31 }),
  state: fc.constantFrom(...Object.values(BfdState)),
  isPoll: fc.boolean(),
  isFinal: fc.boolean(),
  isControlPlaneIndependent: fc.boolean(),
  hasAuthentication: fc.constant(false),
  isDemand: fc.boolean(),
  detectMultiplier: fc.integer({ min: 1, max: 255 }),
  myDiscriminator: fc.integer({ min: 1, max: 0xffffffff }),
  yourDiscriminator: fc.integer({ min: 1, max: 0xffffffff }),
  desiredMinTransmit: u32,
  requiredMinReceive: u32,
  requiredMinEchoReceive: u32,
});

test('a control packet as bytes and as a value', () => {
  assert.equal(Buffer.from(encodeControlPacket(PACKET)).toString('hex'), HEX);
  assert.deepEqual(decodeControlPacket(Buffer.from(HEX, 'hex')), PACKET);
});

test('encoding and decoding are inverse', () => {
  fc.assert(
    fc.property(packets, (packet) => {
      assert.deepEqual(decodeControlPacket(encodeControlPacket(packet)), { ...packet });
    }),
    { numRuns: 5_000 },
  );
});

test('every truncation is refused', () => {
  const whole = Buffer.from(HEX, 'hex');
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decodeControlPacket(whole.subarray(0, length)), BfdWireError);
  }
});

test('arbitrary bytes are a packet or a BfdWireError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 60 }), (bytes) => {
      try {
        decodeControlPacket(bytes);
      } catch (cause) {
        assert.ok(cause instanceof BfdWireError);
      }
    }),
    { numRuns: 5_000 },
  );
});

/** [offset, value, what the refusal names] */
const BROKEN: readonly (readonly [number, number, RegExp])[] = [
  [0, 0x00, /version is "0"/],
  [0, 0x40, /version is "2"/],
  [1, 0x81, /multipoint bit is "1"/],
  [1, 0x84, /length is "24", expected 26 to 24/],
  [2, 0, /detection multiplier is "0"/],
  [3, 23, /length is "23"/],
  [3, 25, /length is "25"/],
];

test('what RFC 5880 section 6.8.6 discards is refused by name', () => {
  for (const [offset, value, message] of BROKEN) {
    const bytes = encodeControlPacket(PACKET);
    bytes[offset] = value;
    assert.throws(() => decodeControlPacket(bytes), message);
  }
  const mute = { ...PACKET, myDiscriminator: 0 };
  assert.throws(() => decodeControlPacket(encodeControlPacket(mute)), /my discriminator is "0"/);
  for (const state of Object.values(BfdState)) {
    const bytes = encodeControlPacket({ ...PACKET, state, yourDiscriminator: 0 });
    if (state === BfdState.Init || state === BfdState.Up) {
      assert.throws(() => decodeControlPacket(bytes), /your discriminator is "0"/);
    } else assert.equal(decodeControlPacket(bytes).state, state);
  }
});

test('a packet with an authentication section says so', () => {
  const bytes = new Uint8Array(27);
  bytes.set(encodeControlPacket(PACKET));
  assert.equal(decodeControlPacket(bytes).hasAuthentication, false);
  bytes.set([0xa4, 5, 27], 1);
  assert.equal(decodeControlPacket(bytes).hasAuthentication, true);
});
