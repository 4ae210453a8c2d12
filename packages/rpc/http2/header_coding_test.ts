import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME, Http2Error } from './frames.ts';
import { HeaderBlocks } from './header_blocks.ts';
import { HeaderDecoder } from './header_decoder.ts';
import { HeaderEncoder } from './header_encoder.ts';
import type { Header } from './header_table.ts';

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

test('decode() reads the requests of RFC 7541 C.4: Huffman, a table that grows', () => {
  const decoder = new HeaderDecoder();
  const first = decoder.decode(bytes('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff'));
  assert.deepEqual(first, {
    ':method': 'GET',
    ':scheme': 'http',
    ':path': '/',
    ':authority': 'www.example.com',
  });
  const second = decoder.decode(bytes('8286 84be 5886 a8eb 1064 9cbf'));
  assert.equal(second?.['cache-control'], 'no-cache');
  const third = decoder.decode(
    bytes('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf'),
  );
  assert.deepEqual([third?.[':path'], third?.['custom-key']], ['/index.html', 'custom-value']);
});

test('decode() follows a table that is made smaller, and refuses one that is larger than allowed', () => {
  const decoder = new HeaderDecoder();
  decoder.decode(bytes('40 01 61 01 62')); // a: b, added
  assert.deepEqual(decoder.decode(bytes('be')), { a: 'b' });
  assert.deepEqual(decoder.decode(bytes('20')), {});
  assert.throws(() => decoder.decode(bytes('be')), Http2Error);
  assert.throws(() => new HeaderDecoder().decode(bytes('3fe2ff01')), Http2Error);
});

test('a block that is read again means what the table says by then', () => {
  const decoder = new HeaderDecoder();
  decoder.decode(bytes('40 01 61 01 62')); // a: b, added
  assert.deepEqual(decoder.decode(bytes('be')), { a: 'b' });
  assert.deepEqual(decoder.decode(bytes('be')), { a: 'b' });
  decoder.decode(bytes('40 01 63 01 64')); // c: d, added before it
  assert.deepEqual(decoder.decode(bytes('be')), { c: 'd' });
  assert.deepEqual(decoder.decode(bytes('40 01 65 01 66')), { e: 'f' });
  assert.deepEqual(decoder.decode(bytes('40 01 65 01 66')), { e: 'f' }); // added twice
  assert.deepEqual(decoder.decode(bytes('c0')), { c: 'd' });
});

test('a block that is read again means what a long block has made of the table', () => {
  const long: Header = ['grpc-message', '-'.repeat(300)];
  const literal = ([name, value]: Header): Buffer =>
    // Added to the table; a value of 127 bytes or more has its length in further bytes.
    Buffer.concat([
      Buffer.of(0x40, name.length),
      Buffer.from(name),
      bytes('7fad01'),
      Buffer.from(value),
    ]);
  const decoder = new HeaderDecoder();
  decoder.decode(bytes('40 01 61 01 62')); // a: b, added
  assert.deepEqual(decoder.decode(bytes('be')), { a: 'b' });
  decoder.decode(literal(long));
  assert.deepEqual(decoder.decode(bytes('be')), Object.fromEntries([long]));
  assert.deepEqual(decoder.decode(bytes('bf')), { a: 'b' });
  decoder.decode(Buffer.concat([bytes('20'), Buffer.alloc(300, 0x82)])); // the table is emptied
  assert.throws(() => decoder.decode(bytes('bf')), Http2Error);
});

test('blocks that come again are read as if nothing of them were kept', () => {
  const added = ['61 01 63', '61 01 64', '62 01 63'].map((text) => `40 01 ${text}`);
  const known = ['be', 'bf', 'c0', '82'];
  const parts = [...known, ...known, ...added, '20 3f e1 1f', '82'.repeat(300)];
  const random = randomBytes(3);
  const part = (): string => parts[random() % parts.length] as string;
  for (let connection = 0; connection < 300; connection++) {
    const [decoder, plain] = [new HeaderDecoder(), new HeaderDecoder()];
    let blocks = 0;
    for (let expected: unknown = {}; expected !== undefined && blocks < 60; blocks++) {
      const block = bytes(added[blocks] ?? (random() < 128 ? part() : part() + part()));
      expected = outcome(() => plain.decode(padded(block, 300))); // too long to be kept
      assert.deepEqual(
        outcome(() => decoder.decode(padded(block, 0))),
        expected,
      );
    }
  }
});

/** The same bytes each time. */
function randomBytes(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  };
}

/** With `:method: GET` behind it, and so many times more. */
function padded(block: Buffer, times: number): Buffer {
  return Buffer.concat([block, Buffer.alloc(1 + times, 0x82)]);
}

/** Undefined: the connection is over. */
function outcome<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    assert.ok(error instanceof Http2Error, String(error));
    return undefined;
  }
}

test('a list of headers that is written again names what the table has by then', () => {
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const lists: Header[][] = [[['a', 'b']], [['grpc-timeout', '1m']], [['c', 'd']]];
  for (const index of [0, 0, 1, 0, 1, 2, 0, 1, 2, 0, 2]) {
    const list = lists[index] ?? [];
    assert.deepEqual(decoder.decode(encoder.encode(list)), Object.fromEntries(list));
  }
  encoder.limit(0);
  for (const list of [...lists, ...lists]) {
    assert.deepEqual(decoder.decode(encoder.encode(list)), Object.fromEntries(list));
  }
});

test('decode() refuses what ends early, names nothing, or is filled up wrongly', () => {
  const wrong = ['82 40', 'c0', '80', '41 8c f1', '41 82 ff ff', '41 81 00', '7f ff ff ff ff 7f'];
  for (const hex of wrong) {
    assert.throws(() => new HeaderDecoder().decode(bytes(hex)), Http2Error, hex);
  }
});

test('decode() follows what the table is told by headers that are too long', () => {
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const long: Header = ['x-long', '-'.repeat(70_000)];
  assert.equal(decoder.decode(encoder.encode([['a', 'b'], long, ['c', 'd']])), undefined);
  const next: Header[] = [
    ['c', 'd'],
    ['a', 'b'],
  ]; // a byte each by now
  const block = encoder.encode(next);
  assert.equal(block.length, 2);
  assert.deepEqual(decoder.decode(block), Object.fromEntries(next));
  const many = Buffer.alloc(3000, 0xbe); // short, and expands to much
  assert.equal(decoder.decode(many), undefined);
});

test('decode() refuses a number that is padded without end', () => {
  const most = `3f${'80'.repeat(3)}00`;
  assert.deepEqual(new HeaderDecoder().decode(bytes(most)), {});
  const endless = `3f${'80'.repeat(160)}00`;
  assert.throws(() => new HeaderDecoder().decode(bytes(endless)), Http2Error);
});

test('headers in endless empty frames are refused', () => {
  const blocks = new HeaderBlocks();
  const part = { flags: 0, stream: 1, payload: Buffer.alloc(0) };
  blocks.take({ ...part, type: FRAME.HEADERS });
  assert.throws(() => {
    for (let n = 0; n < 40_000; n++) blocks.take({ ...part, type: FRAME.CONTINUATION });
  }, Http2Error);
});

test('what is encoded is decoded again; what is the same in every call takes a byte', () => {
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const call: Header[] = [
    [':method', 'POST'],
    [':path', '/a.B/C'],
    ['content-type', 'application/grpc'],
  ];
  const lengths = Array.from({ length: 3 }, () => {
    const block = encoder.encode(call);
    assert.deepEqual(decoder.decode(block), Object.fromEntries(call));
    return block.length;
  });
  assert.deepEqual(lengths.slice(1), [3, 3]);
  for (let round = 0; round < 1000; round++) {
    const some: Header[] = [
      ...call,
      ['grpc-timeout', `${round}m`],
      [`x-${round % 200}`, '-'.repeat(round)],
    ];
    assert.deepEqual(decoder.decode(encoder.encode(some)), Object.fromEntries(some));
  }
});

test('encode() stops using a table that the other end does not keep', () => {
  const encoder = new HeaderEncoder();
  const decoder = new HeaderDecoder();
  const header: Header = ['a', 'b'];
  decoder.decode(encoder.encode([header]));
  encoder.limit(0);
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(decoder.decode(encoder.encode([header])), { a: 'b' });
  }
  assert.throws(() => decoder.decode(Buffer.of(0xbe)), Http2Error);
});

test('decode() of any bytes answers or refuses', () => {
  const byte = randomBytes(7);
  for (let round = 0; round < 20_000; round++) {
    const block = Buffer.from(Array.from({ length: byte() % 40 }, byte));
    try {
      new HeaderDecoder().decode(block);
    } catch (error) {
      assert.ok(error instanceof Http2Error, String(error));
    }
  }
});
