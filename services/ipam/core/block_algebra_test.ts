import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressAt, parseAddress, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import {
  assignAddress,
  assignFree,
  attributeOf,
  countFree,
  isEmpty,
  ordinalsOfHandle,
  releaseOrdinals,
} from './block_algebra.ts';
import { type Block, formatBlock, newBlock, parseBlock } from './records/block.ts';

const CIDR = parsePrefix('10.0.0.16/28');
const owner = (handleId: string, pod = handleId) => ({ handleId, secondary: { pod } });

type Step =
  | { kind: 'auto'; handle: number; count: number }
  | { kind: 'address'; handle: number; ordinal: number }
  | { kind: 'release'; ordinals: number[] }
  | { kind: 'releaseHandle'; handle: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('auto' as const),
      handle: fc.nat(4),
      count: fc.nat(6),
    }),
    fc.record({
      kind: fc.constant('address' as const),
      handle: fc.nat(4),
      ordinal: fc.nat(15),
    }),
    fc.record({ kind: fc.constant('release' as const), ordinals: fc.array(fc.nat(15)) }),
    fc.record({ kind: fc.constant('releaseHandle' as const), handle: fc.nat(4) }),
  ),
  { maxLength: 60 },
);

/** The model: who holds which ordinal, and the free ones in order. */
class Model {
  readonly holders = new Map<number, string>();
  free = Array.from({ length: 16 }, (_, ordinal) => ordinal);

  take(ordinals: readonly number[], handle: string): void {
    for (const ordinal of ordinals) this.holders.set(ordinal, handle);
    this.free = this.free.filter((ordinal) => !ordinals.includes(ordinal));
  }

  give(ordinals: readonly number[]): void {
    for (const ordinal of new Set(ordinals)) {
      if (this.holders.delete(ordinal)) this.free.push(ordinal);
    }
  }
}

function apply(block: Block, model: Model, step: Step): Block {
  switch (step.kind) {
    case 'auto': {
      const handle = `h${step.handle}`;
      const expected = model.free.slice(0, step.count);
      const taken = assignFree(block, step.count, owner(handle));
      assert.deepEqual(taken.ordinals, expected);
      model.take(expected, handle);
      return taken.block;
    }
    case 'address': {
      const handle = `h${step.handle}`;
      const after = assignAddress(block, addressAt(CIDR, step.ordinal), owner(handle));
      assert.equal(after === undefined, model.holders.has(step.ordinal));
      if (after === undefined) return block;
      model.take([step.ordinal], handle);
      return after;
    }
    case 'release':
      model.give(step.ordinals);
      return releaseOrdinals(block, step.ordinals);
    case 'releaseHandle': {
      const held = ordinalsOfHandle(block, `h${step.handle}`);
      model.give(held);
      return releaseOrdinals(block, held);
    }
    default:
      return step satisfies never;
  }
}

function check(block: Block, model: Model): void {
  assert.deepEqual(block.unallocated, model.free);
  for (let ordinal = 0; ordinal < 16; ordinal++) {
    assert.equal(attributeOf(block, ordinal)?.handleId, model.holders.get(ordinal));
    assert.equal(block.sequenceNumbers[ordinal] !== undefined, model.holders.has(ordinal));
  }
  const used = new Set(block.allocations.filter((index) => index !== null));
  assert.equal(used.size, block.attributes.length, 'every attribute is referred to');
  assert.equal(isEmpty(block), model.holders.size === 0);
}

test('a block does what a map of holders does, whatever the order of operations', () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      let block = newBlock(CIDR, 'host:n', 1_790_000_000_000);
      const model = new Model();
      let sequenceNumber = block.sequenceNumber;
      for (const step of sequence) {
        const before = block;
        block = apply(block, model, step);
        check(block, model);
        assert.deepEqual(parseBlock('k', formatBlock(block)), block);
        if (block !== before) assert.ok(block.sequenceNumber > sequenceNumber);
        sequenceNumber = block.sequenceNumber;
      }
    }),
  );
});

const isEven = (address: { value: bigint }) => address.value % 2n === 0n;

test('assignFree() skips reserved addresses and keeps their place in the free list', () => {
  const block = newBlock(CIDR, 'host:n', 0);
  const { block: after, ordinals } = assignFree(block, 3, owner('h'), isEven);
  assert.deepEqual(ordinals, [1, 3, 5]);
  assert.deepEqual(after.unallocated.slice(0, 5), [0, 2, 4, 6, 7]);
  assert.equal(countFree(after, isEven), 5);
});

test('owners with the same handle and attributes share an attribute', () => {
  let block = newBlock(CIDR, 'host:n', 0);
  block = assignFree(block, 2, owner('h')).block;
  block = assignFree(block, 1, owner('h')).block;
  assert.equal(block.attributes.length, 1);
  block = assignFree(block, 1, owner('h', 'other pod')).block;
  assert.equal(block.attributes.length, 2);
});

test('an address that cools down is neither held nor free', () => {
  const stored = parseBlock(
    'k',
    '{"cidr":"10.0.0.0/31","affinity":"host:n","allocations":[0,null],"unallocated":[1],"attributes":[{"handle_id":"h","secondary":{},"releasedAt":"2026-01-01T00:00:00Z"}],"sequenceNumber":1}',
  );
  assert.deepEqual(ordinalsOfHandle(stored, 'h'), []);
  assert.equal(assignAddress(stored, parseAddress('10.0.0.0'), owner('x')), undefined);
  assert.equal(isEmpty(stored), false);
});
