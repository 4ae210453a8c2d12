import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { assignFree, isHeld } from './block_algebra.ts';
import { release, thawed } from './cooldown.ts';
import { blockFaults } from './inspection/block_faults.ts';
import { type Block, formatBlock, newBlock } from './records/block.ts';

const START = 1_790_000_000_000;
const CIDR = parsePrefix('10.0.0.0/29');
const COOLDOWN = 30_000;

type Step = { kind: 'assign' | 'release' | 'wait'; amount: number };

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom<Step['kind']>('assign', 'release', 'wait'),
    amount: fc.integer({ min: 1, max: 20 }),
  }),
  { maxLength: 40 },
);

function held(block: Block): number[] {
  return [...block.allocations.entries()].flatMap(([ordinal, index]) => {
    const attribute = index === null ? undefined : block.attributes[index];
    return attribute !== undefined && isHeld(attribute) ? [ordinal] : [];
  });
}

test('an address is given out again only after its cool-down, and all of them come back', () => {
  fc.assert(
    fc.property(steps, (all) => {
      let block = newBlock(CIDR, 'host:n', START);
      let now = START;
      let handles = 0;
      const releasedAt = new Map<number, number>();
      for (const { kind, amount } of all) {
        if (kind === 'wait') now += amount * 1700;
        else if (kind === 'assign') {
          const owner = { handleId: `h${handles++}`, secondary: {} };
          const taken = assignFree(thawed(block, now, COOLDOWN), 1 + (amount % 3), owner);
          for (const ordinal of taken.ordinals) {
            assert.ok(now - (releasedAt.get(ordinal) ?? -Infinity) >= COOLDOWN, `${ordinal}`);
          }
          block = taken.block;
        } else {
          const some = held(block).slice(0, amount % 4);
          block = release(block, some, now, COOLDOWN);
          for (const ordinal of some) releasedAt.set(ordinal, now);
        }
        assert.deepEqual(blockFaults(CIDR, formatBlock(block), now), []);
      }
      const last = release(block, held(block), now, COOLDOWN);
      assert.equal(thawed(last, now + COOLDOWN + 1999, COOLDOWN).unallocated.length, 8);
      assert.equal(thawed(last, now, 0).unallocated.length, 8, 'the cool-down was turned off');
    }),
  );
});

test('what cooled down longest is given out first, behind what was free', () => {
  const owner = { handleId: 'h', secondary: { pod: 'a' } };
  let { block } = assignFree(newBlock(CIDR, 'host:n', START), 7, owner);
  block = release(block, [5], START + 1000, COOLDOWN);
  block = release(block, [2, 3], START, COOLDOWN);
  assert.deepEqual(thawed(block, START + 60_000, COOLDOWN).unallocated, [7, 2, 3, 5]);
  assert.deepEqual(thawed(block, START + 31_000, COOLDOWN).unallocated, [7, 2, 3]);
  const cooling = block.attributes.filter((attribute) => !isHeld(attribute));
  assert.deepEqual(
    cooling.map(({ handleId, secondary, releasedAt }) => [handleId, secondary, releasedAt]),
    [
      ['h', { pod: 'a' }, '2026-09-21T14:13:21Z'],
      ['h', { pod: 'a' }, '2026-09-21T14:13:20Z'],
    ],
  );
});

test('release() leaves what is free or cools down already, and is immediate without cool-down', () => {
  const owner = { handleId: 'h', secondary: {} };
  const { block } = assignFree(newBlock(CIDR, 'host:n', START), 2, owner);
  const once = release(block, [0, 6], START, COOLDOWN);
  assert.equal(release(once, [0, 6], START + 5000, COOLDOWN), once);
  assert.deepEqual(release(block, [0], START, 0).unallocated, [2, 3, 4, 5, 6, 7, 0]);
});

test('thawed() frees what nobody holds when the instant cannot be read', () => {
  const owner = { handleId: 'h', secondary: {} };
  const { block } = assignFree(newBlock(CIDR, 'host:n', START), 1, owner);
  const attributes = block.attributes.map((one) => ({ ...one, releasedAt: { seconds: 1 } }));
  assert.equal(thawed({ ...block, attributes }, START, COOLDOWN).unallocated.length, 8);
});
