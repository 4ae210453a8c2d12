import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, type Frame, MessageFramer } from './framing.ts';
import { goldens } from './testdata/goldens.ts';
import { fromHex, MARKER, seededRandom } from './testing.ts';

const stream = fromHex(goldens.map(({ hex }) => hex).join(''));

function framesOf(chunks: readonly Uint8Array[]): Frame[] {
  const framer = new MessageFramer();
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      frames.push({ type: frame.type, body: frame.body.slice() });
    }
  }
  assert.equal(framer.buffered, 0);
  return frames;
}

const expected = goldens.map(({ hex }) => {
  const bytes = fromHex(hex);
  return { type: bytes[18], body: bytes.slice(19) };
});

test('MessageFramer cuts a stream that arrives at once', () => {
  assert.deepEqual(framesOf([stream]), expected);
});

test('MessageFramer cuts a stream that arrives byte by byte', () => {
  assert.deepEqual(framesOf(Array.from(stream, (byte) => Uint8Array.of(byte))), expected);
});

test('MessageFramer cuts a stream at any places', () => {
  const random = seededRandom(3);
  for (let round = 0; round < 200; round++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const length = 1 + random(90);
      chunks.push(stream.slice(at, at + length));
      at += length;
    }
    assert.deepEqual(framesOf(chunks), expected);
  }
});

function errorOf(hex: string): { code: number; subcode: number; data: Uint8Array } {
  const framer = new MessageFramer();
  framer.push(fromHex(hex));
  try {
    framer.next();
  } catch (cause) {
    return cause as ReturnType<typeof errorOf>;
  }
  return assert.fail('the header was accepted');
}

test('MessageFramer refuses a wrong marker as soon as it shows', () => {
  const { code, subcode } = errorOf('ffff00');
  assert.deepEqual([code, subcode], [1, 1]);
});

test('MessageFramer refuses a length out of the range of its type', () => {
  for (const [length, type] of [
    ['0012', '04'],
    ['0014', '04'],
    ['001c', '01'],
    ['0016', '02'],
    ['0014', '03'],
    ['1001', '02'],
    ['ffff', '02'],
  ] as const) {
    const { code, subcode, data } = errorOf(`${MARKER}${length}${type}`);
    assert.deepEqual([code, subcode, data], [1, 2, fromHex(length)], `${length} ${type}`);
  }
});

test('MessageFramer refuses an unknown type and names it', () => {
  const { code, subcode, data } = errorOf(`${MARKER}001306`);
  assert.deepEqual([code, subcode, data], [1, 3, Uint8Array.of(6)]);
});

test('MessageFramer gives out the messages before a broken one', () => {
  const framer = new MessageFramer();
  framer.push(fromHex(`${MARKER}001304${MARKER}001309`));
  assert.equal(framer.next()?.type, 4);
  assert.throws(() => framer.next(), /type "9" is unknown/);
});

test('MessageFramer takes long messages once they are negotiated, but no long OPEN', () => {
  const framer = new MessageFramer();
  framer.allowExtendedMessages();
  framer.push(encodeFrame(2, new Uint8Array(60_000), true));
  assert.equal(framer.next()?.body.length, 60_000);
  framer.push(fromHex(`${MARKER}100101`));
  assert.throws(() => framer.next(), /length "4097"/);
});
