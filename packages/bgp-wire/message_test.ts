import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DEFAULT_CONTEXT } from './context.ts';
import { ProtocolError } from './errors.ts';
import { MessageFramer } from './framing.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';
import { goldens } from './testdata/goldens.ts';
import { anyMessage, contextOf, fromHex, seededRandom, toHex } from './testing.ts';

function decode(bytes: Uint8Array, context = DEFAULT_CONTEXT): Message | undefined {
  const framer = new MessageFramer();
  framer.push(bytes);
  const frame = framer.next();
  return frame === undefined ? undefined : decodeMessage(frame, context);
}

/** Runs a decoder on damaged bytes: it answers or throws its own error. */
function survive(run: () => unknown, what: string): void {
  try {
    run();
  } catch (cause) {
    assert.ok(cause instanceof ProtocolError, `${what}: ${String(cause)}`);
  }
}

for (const golden of goldens) {
  test(`encodeMessage() writes and decodeMessage() reads ${golden.name}`, () => {
    const bytes = fromHex(golden.hex);
    const context = contextOf(golden);
    assert.equal(toHex(encodeMessage(golden.message, context)), toHex(bytes));
    assert.deepEqual(decode(bytes, context), golden.message);
  });

  test(`decodeMessage() survives every truncation of ${golden.name}`, () => {
    const bytes = fromHex(golden.hex);
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(decode(bytes.subarray(0, length)), undefined, 'a part is no message yet');
      if (length < 19) continue;
      // The same with a header that claims the truncated length.
      const shortened = bytes.slice(0, length);
      shortened[16] = length >>> 8;
      shortened[17] = length & 0xff;
      survive(() => decode(shortened, contextOf(golden)), `${golden.name} cut to ${length}`);
    }
  });
}

test('decodeMessage() survives flipped bytes', () => {
  const random = seededRandom(20_240_801);
  for (let round = 0; round < 40_000; round++) {
    const golden = goldens[random(goldens.length)];
    assert.ok(golden);
    const bytes = fromHex(golden.hex);
    for (let flips = 1 + random(4); flips > 0; flips--) {
      bytes[16 + random(bytes.length - 16)] = random(256);
    }
    const context = {
      fourOctetAs: random(2) === 0,
      extendedMessages: false,
      addPath: random(2) === 0 ? ([4, 6] as const) : [],
      peerKind: random(2) === 0 ? ('internal' as const) : ('external' as const),
    };
    survive(() => decode(bytes, context), toHex(bytes));
  }
});

test('decodeMessage() survives arbitrary bodies', () => {
  fc.assert(
    fc.property(fc.nat(6), fc.uint8Array({ maxLength: 120 }), (type, body) => {
      survive(() => decodeMessage({ type, body }, DEFAULT_CONTEXT), `${type} ${toHex(body)}`);
    }),
    { numRuns: 20_000, seed: 7 },
  );
});

test('decodeMessage() undoes encodeMessage() for any message, hot', () => {
  const samples = fc.sample(anyMessage, { numRuns: 2_000, seed: 42 });
  // The same values many times: a compiler that breaks hot loops must not break these.
  for (let round = 0; round < 50; round++) {
    for (const { message, context } of samples) {
      const bytes = encodeMessage(message, context);
      assert.deepEqual(decode(bytes, context), message);
    }
  }
});

test('encodeMessage() refuses what does not fit', () => {
  const message: Message = {
    kind: 'notification',
    code: 6,
    subcode: 2,
    data: new Uint8Array(4096),
  };
  assert.throws(() => encodeMessage(message), /length "4117" is above 4096/);
});

test('encodeMessage() makes a NOTIFICATION as long as the session allows (RFC 8654)', () => {
  const message = {
    kind: 'notification',
    code: 3,
    subcode: 2,
    data: new Uint8Array(5_000),
  } as const;
  assert.throws(() => encodeMessage(message), RangeError);
  const extended = { ...DEFAULT_CONTEXT, extendedMessages: true };
  assert.equal(encodeMessage(message, extended).length, 5_021);
});
