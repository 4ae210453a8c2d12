import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { IpamError } from '../ipam_error.ts';
import { formatBlock, newBlock, parseBlock } from './block.ts';
import { formatJson, parseJson } from './lossless_json.ts';

/** As upstream writes it: sequence numbers above 2^53, null for what Go leaves empty. */
const UPSTREAM = `{"cidr":"10.244.58.192/30","affinity":"host:k8s-node02","affinityClaimTime":"2026-08-01T10:00:00Z","allocations":[null,0,null,0],"unallocated":[0,2],"attributes":[{"handle_id":"k8s-pod-network.1234","secondary":{"pod":"a","namespace":"default"},"alternateOwner":{"x":1}}],"sequenceNumber":1790000000000000007,"sequenceNumberForAllocation":{"1":1790000000000000003,"3":1790000000000000005},"deleted":false,"futureField":[1,{"big":18446744073709551615}]}`;

test('parseBlock() reads every field and formatBlock() writes it back, also those of others', () => {
  const block = parseBlock('k', UPSTREAM);
  assert.equal(block.affinity, 'host:k8s-node02');
  assert.equal(block.sequenceNumber, 1790000000000000007n);
  assert.equal(block.sequenceNumbers[3], 1790000000000000005n);
  assert.deepEqual(parseJson(formatBlock(block)), parseJson(UPSTREAM));
  assert.match(formatBlock(block), /"big":18446744073709551615/);
});

test('parseBlock() leaves out the numbers of addresses that the block does not have', () => {
  const more = UPSTREAM.replace('{"1":', '{"4":7,"x":8,"1":');
  assert.deepEqual(parseBlock('k', more), parseBlock('k', UPSTREAM));
});

test('parseBlock() reads a fresh block of upstream: null lists and the old host field', () => {
  const block = parseBlock(
    'k',
    '{"cidr":"fd00::/127","affinity":null,"hostAffinity":"n1","allocations":[null,null],"unallocated":[0,1],"attributes":null,"deleted":false}',
  );
  assert.equal(block.affinity, 'host:n1');
  assert.deepEqual(block.attributes, []);
});

test('parseBlock() refuses what contradicts itself', () => {
  const cases: [string, RegExp][] = [
    ['', /Cannot read block "k"/],
    ['[]', /block is no object/],
    ['{"cidr":"10.0.0.0/30","allocations":[null]}', /1 entries, expected 4/],
    ['{"cidr":"10.0.0.0/31","allocations":[0,null],"attributes":[]}', /attribute 0/],
    [
      '{"cidr":"10.0.0.0/31","allocations":[0,null],"unallocated":[0],"attributes":[{}]}',
      /both allocated and unallocated/,
    ],
    ['{"cidr":"10.0.0.0/31","allocations":[null,null],"unallocated":[0,0]}', /repeats/],
    ['{"cidr":"10.0.0.0/31","allocations":[null,null],"unallocated":[2]}', /expected below 2/],
    ['{"cidr":"10.0.0.0/8","allocations":[],"unallocated":[]}', /too large/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseBlock('k', text),
      (error) => {
        assert.ok(error instanceof IpamError);
        assert.equal(error.reason, 'damaged');
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('parseBlock() of arbitrary JSON answers a block or throws its own error', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      try {
        parseBlock('k', text);
      } catch (error) {
        assert.ok(error instanceof IpamError);
      }
    }),
  );
});

test('newBlock() has every address free and starts its number at the time in nanoseconds', () => {
  const block = newBlock(parsePrefix('10.244.58.192/26'), 'host:n', 1_790_000_000_123);
  assert.equal(block.unallocated.length, 64);
  assert.equal(block.sequenceNumber, 1_790_000_000_123_000_000n);
  assert.equal(block.affinityClaimTime, '2026-09-21T14:13:20Z');
});

test('parseJson() and formatJson() keep integers of any size', () => {
  fc.assert(
    fc.property(fc.bigInt(), (value) => {
      const back = (parseJson(formatJson({ value })) as { value: number | bigint }).value;
      assert.equal(BigInt(back), value);
    }),
  );
});
