import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DEFAULT_CONTEXT, type WireContext } from './context.ts';
import { ProtocolError } from './errors.ts';
import { encodeFrame, type Frame, MessageFramer } from './framing.ts';
import { decodeMessage, encodeMessage, type Message } from './message.ts';
import type { Notification } from './notification.ts';
import { goldens } from './testdata/goldens.ts';
import { anyMessage, contextOf, EMPTY_UPDATE, fromHex, seededRandom, toHex } from './testing.ts';

function decode(bytes: Uint8Array, context = DEFAULT_CONTEXT): Message | undefined {
  const framer = new MessageFramer();
  if (context.extendedMessages) framer.allowExtendedMessages();
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
  const value = new Uint8Array(5_000);
  const attributes = { unknown: [{ flags: 0xc0, type: 99, value }] };
  const message: Message = { ...EMPTY_UPDATE, attributes };
  assert.throws(() => encodeMessage(message), /length "5027" is above 4096/);
});

test('encodeMessage() makes a NOTIFICATION as long as the session allows (RFC 8654)', () => {
  const data = Uint8Array.from({ length: 70_000 }, (_, index) => index);
  const message = { kind: 'notification', code: 3, subcode: 2, data } as const;
  for (const [extendedMessages, length] of [
    [false, 4_096],
    [true, 65_535],
  ] as const) {
    const bytes = encodeMessage(message, { ...DEFAULT_CONTEXT, extendedMessages });
    assert.deepEqual([bytes.length, (bytes[16] ?? 0) * 256 + (bytes[17] ?? 0)], [length, length]);
    assert.deepEqual(bytes.subarray(21), data.subarray(0, length - 21));
  }
});

test('a ROUTE-REFRESH of another length is sent back as it came (RFC 7313 section 5)', () => {
  for (const length of [0, 3, 5, 300]) {
    const body = Uint8Array.from({ length }, (_, index) => index);
    const refusal = refusalOf({ type: 5, body }, DEFAULT_CONTEXT);
    assert.deepEqual([refusal?.code, refusal?.subcode], [7, 1]);
    assert.deepEqual(refusal?.data, encodeFrame(5, body));
  }
});

test('whatever cannot be read, of any length, is answered by a NOTIFICATION that can be sent', () => {
  const random = seededRandom(7_313);
  let refused = 0;
  for (const extendedMessages of [false, true]) {
    const context = { ...DEFAULT_CONTEXT, extendedMessages };
    const longest = (extendedMessages ? 65_535 : 4_096) - 19;
    for (const length of [0, 1, 2, 3, 5, 100, longest - 30, longest - 1, longest]) {
      for (const body of hostileBodies(length, random)) {
        for (let type = 0; type <= 6; type++) {
          const refusal = refusalOf({ type, body }, context);
          if (refusal === undefined) continue;
          refused += 1;
          assert.deepEqual(decode(encodeMessage(refusal, context), context), {
            ...refusal,
            data: refusal.data.slice(0, longest - 2),
          });
        }
      }
    }
  }
  assert.ok(refused > 300, `${refused} refused`);
});

/** Zeros, anything, and one attribute that fills an UPDATE: unknown though it says to be well-known. */
function hostileBodies(length: number, random: (below: number) => number): Uint8Array[] {
  const attribute = new Uint8Array(length);
  const [room, value] = [length - 4, length - 8];
  if (value >= 0) attribute.set([0, 0, room >> 8, room, 0x50, 99, value >> 8, value]);
  return [new Uint8Array(length), Uint8Array.from({ length }, () => random(256)), attribute];
}

function refusalOf(frame: Frame, context: WireContext): Notification | undefined {
  try {
    decodeMessage(frame, context);
  } catch (cause) {
    assert.ok(cause instanceof ProtocolError, String(cause));
    return cause.notification;
  }
  return undefined;
}
