import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, type Prefix, parsePrefix, prefixContains, subnets } from '@calico/ip';
import * as fc from 'fast-check';
import { candidateBlocks, startIndex } from './placement.ts';

const POOL = { cidr: parsePrefix('10.244.0.0/16'), blockSize: 26 };

test('candidateBlocks() visits every block of the pool exactly once', () => {
  const all = new Set([...subnets(POOL.cidr, 26)].map(formatPrefix));
  const own = fc.uniqueArray(fc.nat(1023), { maxLength: 5 }).map((indexes) =>
    indexes.map(
      (index): Prefix => ({
        family: 4,
        value: POOL.cidr.value + BigInt(index) * 64n,
        length: 26,
      }),
    ),
  );
  fc.assert(
    fc.property(fc.string(), own, (node, blocks) => {
      const visited = [...candidateBlocks(POOL, node, blocks)].map(formatPrefix);
      assert.equal(new Set(visited).size, visited.length);
      const missing = [...all].filter((cidr) => !visited.includes(cidr));
      assert.deepEqual(missing, []);
    }),
    { numRuns: 30 },
  );
});

const first = (node: string) => candidateBlocks(POOL, node, []).next().value;

test('candidateBlocks() is the same for the same node and starts elsewhere for others', () => {
  assert.deepEqual(first('k8s-node01'), first('k8s-node01'));
  const starts = new Set(Array.from({ length: 200 }, (_, i) => first(`node-${i}`)?.value));
  assert.ok(starts.size > 160, `only ${starts.size} different starts of 200`);
});

test('the walk-through: each node finds the block that the article shows', () => {
  const found = ['k8s-master', 'k8s-node01', 'k8s-node02'].map((node) => first(node) as Prefix);
  assert.deepEqual(found.map(formatPrefix), [
    '10.244.235.192/26',
    '10.244.85.192/26',
    '10.244.58.192/26',
  ]);
});

test('candidateBlocks() offers the blocks that merge with own ones first', () => {
  const own = [parsePrefix('10.244.58.192/26')];
  const [nearest, second, third] = candidateBlocks(POOL, 'n', own);
  assert.equal(formatPrefix(nearest as Prefix), '10.244.58.128/26');
  assert.deepEqual(
    [second, third].map((cidr) => formatPrefix(cidr as Prefix)),
    ['10.244.58.0/26', '10.244.58.64/26'],
  );
});

test('candidateBlocks() jumps over what is excluded, also in a pool of 2^58 blocks', () => {
  const pool = { cidr: parsePrefix('fd00::/64'), blockSize: 122 };
  const excluded = [parsePrefix('fd00::/65'), parsePrefix('fd00::8000:0:0:0/66')];
  for (let i = 0; i < 20; i++) {
    const block = candidateBlocks(pool, `node-${i}`, [], excluded).next().value;
    assert.ok(block !== undefined);
    assert.ok(!excluded.some((prefix) => prefixContains(prefix, block)));
  }
  const everything = [...candidateBlocks(pool, 'n', [], [parsePrefix('fd00::/64')])];
  assert.deepEqual(everything, []);
});

test('startIndex() stays below the count', () => {
  fc.assert(
    fc.property(fc.string(), fc.bigInt({ min: 1n, max: 1n << 58n }), (node, count) => {
      const index = startIndex(node, count);
      assert.ok(index >= 0n && index < count);
    }),
  );
});
