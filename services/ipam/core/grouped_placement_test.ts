import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aggregate, formatPrefix, type Prefix, parsePrefix } from '@calico/ip';
import { GROUP_BITS, placeBlock, type Topology } from './grouped_placement.ts';

const POOL = { cidr: parsePrefix('10.244.0.0/16'), blockSize: 26 };

/** `taken`: CIDR to topology label of its node. */
function place(
  node: string,
  own: readonly Prefix[],
  taken: ReadonlyMap<string, string>,
  topology?: Topology,
) {
  const found = placeBlock(
    { pool: POOL, node, own, groupBits: 1, ...(topology === undefined ? {} : { topology }) },
    (block) => {
      const label = taken.get(formatPrefix(block));
      if (label === undefined) return 'nobody';
      return label === topology?.label ? 'same' : 'other';
    },
  );
  return found === undefined ? undefined : formatPrefix(found);
}

test('placeBlock() starts where upstream starts, and goes on with the other half of the group', () => {
  const taken = new Map<string, string>();
  const first = place('k8s-node02', [], taken);
  assert.equal(first, '10.244.58.192/26');
  taken.set(first, '');
  assert.equal(place('k8s-node02', [parsePrefix(first)], taken), '10.244.58.128/26');
});

test('placeBlock() avoids groups of others while there is an untouched one', () => {
  const taken = new Map([['10.244.58.128/26', '']]);
  assert.equal(place('k8s-node02', [], taken), '10.244.59.0/26');
});

test('placeBlock() starts in the largest untouched group, and grows in it', () => {
  const pool = { cidr: parsePrefix('10.0.0.0/22'), blockSize: 26 };
  const taken = new Map<bigint, string>();
  const own = new Map<string, Prefix[]>();
  for (const node of 'ab'.repeat(8)) {
    const mine = own.get(node) ?? [];
    const found = placeBlock({ pool, node, own: mine, groupBits: GROUP_BITS }, ({ value }) =>
      taken.has(value) ? 'other' : 'nobody',
    );
    assert.ok(found !== undefined);
    taken.set(found.value, node);
    own.set(node, [...mine, found]);
  }
  const routes = [...own.values()].map((blocks) => aggregate(blocks).map(formatPrefix));
  assert.deepEqual(routes.flat().toSorted(), ['10.0.0.0/23', '10.0.2.0/23']);
});

test('placeBlock() takes every block of the pool before it gives up', () => {
  const taken = new Map<string, string>();
  for (let i = 0; i < 1024; i++) {
    const next = place(`n${i % 7}`, [], taken);
    assert.ok(next !== undefined && !taken.has(next));
    taken.set(next, '');
  }
  assert.equal(place('n', [], taken), undefined);
});

test('placeBlock() keeps nodes of one label together, and away from those of another', () => {
  const taken = new Map<string, string>();
  for (let i = 0; i < 64; i++) {
    const label = `rack-${i % 8}`;
    const next = place(`n${i}`, [], taken, { label, superBits: 3 });
    assert.ok(next !== undefined && !taken.has(next));
    taken.set(next, label);
  }
  const byRack = Map.groupBy(taken, ([, label]) => label);
  for (const [label, blocks] of byRack) {
    const merged = aggregate(blocks.map(([cidr]) => parsePrefix(cidr)));
    assert.deepEqual(
      merged.map(({ length }) => length),
      [23],
      label,
    );
  }
});

test('placeBlock() leaves the super-block of its label when that is full', () => {
  const taken = new Map<string, string>();
  const topology = { label: 'rack', superBits: 2 };
  for (let i = 0; i < 9; i++) taken.set(place(`n${i}`, [], taken, topology) ?? '', 'rack');
  assert.equal(taken.size, 9);
  const merged = aggregate([...taken.keys()].map((cidr) => parsePrefix(cidr)));
  assert.ok(merged.length <= 3, String(merged.length));
});
