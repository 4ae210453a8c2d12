import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FieldReader, FieldWriter } from './protobuf_fields.ts';

type Field =
  | { readonly kind: 'number'; readonly field: number; readonly value: bigint }
  | { readonly kind: 'text'; readonly field: number; readonly value: string }
  | { readonly kind: 'message'; readonly field: number; readonly value: readonly Field[] };

const number = fc.integer({ min: 1, max: 100_000 });

const { fields } = fc.letrec<{ fields: readonly Field[]; field: Field }>((tie) => ({
  fields: fc.array(tie('field'), { maxLength: 5 }),
  field: fc.oneof(
    { depthSize: 'small' },
    fc.record({
      kind: fc.constant('number' as const),
      field: number,
      value: fc.oneof(
        fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
        fc.bigInt({ min: 2n ** 49n - 3n, max: 2n ** 49n + 3n }),
        fc.constantFrom(0n, 127n, 128n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n),
      ),
    }),
    fc.record({
      kind: fc.constant('text' as const),
      field: number,
      value: fc.string({ unit: 'binary' }),
    }),
    fc.record({ kind: fc.constant('message' as const), field: number, value: tie('fields') }),
  ),
}));

function write(out: FieldWriter, all: readonly Field[]): void {
  for (const one of all.toReversed()) {
    if (one.kind === 'number') out.number(one.field, one.value);
    else if (one.kind === 'text') out.text(one.field, one.value);
    else out.message(one.field, () => write(out, one.value));
  }
}

/** Reads what is expected; every other time skips it. */
function check(input: FieldReader, all: readonly Field[], skips: boolean): void {
  for (const one of all) {
    assert.ok(input.next());
    assert.equal(input.field, one.field);
    if (skips) input.skip();
    else if (one.kind === 'number') assert.equal(input.bigint(), one.value);
    else if (one.kind === 'text') assert.equal(input.text(), one.value);
    else check(input.message(), one.value, skips);
  }
  assert.equal(input.next(), false);
}

test('what is written is read again, or skipped', () => {
  fc.assert(
    fc.property(fields, fc.boolean(), (all, skips) => {
      const out = new FieldWriter();
      write(out, all);
      check(new FieldReader(out.bytes), all, skips);
    }),
    { numRuns: 20_000 },
  );
});

test('encodings are those of the specification', () => {
  const out = new FieldWriter();
  out.message(3, () => out.number(1, 150));
  out.text(2, 'testing');
  out.number(1, 150n);
  assert.equal(Buffer.from(out.bytes).toString('hex'), '089601120774657374696e671a03089601');
});

test('a text longer than the first buffer', () => {
  const out = new FieldWriter();
  const long = 'ä'.repeat(3_000);
  out.text(1, long);
  out.text(2, long);
  check(
    new FieldReader(out.bytes),
    [
      { kind: 'text', field: 2, value: long },
      { kind: 'text', field: 1, value: long },
    ],
    false,
  );
});

test('bytes that end too early, or are no protobuf, are refused', () => {
  for (const hex of ['08', '0a05', '0a0561', '08ffffffffffffffffffff01', '0f']) {
    const input = new FieldReader(Buffer.from(hex, 'hex'));
    assert.throws(() => {
      while (input.next()) input.skip();
    }, RangeError);
  }
});

test('random bytes are read to the end or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const input = new FieldReader(bytes);
      try {
        while (input.next()) input.skip();
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
    { numRuns: 50_000 },
  );
});
