import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { encodeRouterMessage, readRouterMessage } from './router_messages.ts';

const KINDS = ['solicitation', 'advertisement'] as const;
const MAC = 'ee:00:01:02:03:04';

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

test('both messages have the bytes of RFC 4861', () => {
  assert.equal(hex(encodeRouterMessage('solicitation', undefined)), '8500000000000000');
  assert.equal(
    hex(encodeRouterMessage('advertisement', MAC)),
    `8600000000000000${'00'.repeat(8)}0101ee0001020304`,
  );
});

test('what is encoded is read, and no truncation of it', () => {
  for (const kind of KINDS) {
    const bytes = encodeRouterMessage(kind, MAC);
    assert.equal(readRouterMessage(bytes), kind);
    const without = encodeRouterMessage(kind, undefined);
    for (let length = 0; length < bytes.length; length++) {
      const expected = length === without.length ? kind : undefined;
      assert.equal(readRouterMessage(bytes.subarray(0, length)), expected, `${kind} ${length}`);
    }
  }
});

test('a code, an option without length and other types are refused', () => {
  const broken = [
    Uint8Array.from({ length: 8 }, (_, at) => (at === 0 ? 133 : at === 1 ? 1 : 0)),
    Uint8Array.of(133, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
    Uint8Array.of(135, 0, 0, 0, 0, 0, 0, 0),
  ];
  for (const bytes of broken) assert.equal(readRouterMessage(bytes), undefined);
});

test('options of all kinds are stepped over', () => {
  const option = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 5 }))
    .map(([type, units]) => [type, units, ...new Uint8Array(8 * units - 2)]);
  const message = fc.tuple(fc.constantFrom(...KINDS), fc.array(option, { maxLength: 5 }));
  fc.assert(
    fc.property(message, ([kind, options]) => {
      const bytes = Uint8Array.from([...encodeRouterMessage(kind, undefined), ...options.flat()]);
      assert.equal(readRouterMessage(bytes), kind);
    }),
  );
});

test('arbitrary bytes are read or refused, hot', () => {
  const start = fc.constantFrom([], [133, 0], [134, 0]);
  const bytes = fc.tuple(start, fc.uint8Array({ maxLength: 80 }));
  fc.assert(
    fc.property(bytes, ([head, tail]) => {
      const kind = readRouterMessage(Uint8Array.from([...head, ...tail]));
      assert.ok(kind === undefined || KINDS.includes(kind));
    }),
    { numRuns: 20_000 },
  );
});
