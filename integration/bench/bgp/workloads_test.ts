import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WORKLOADS } from './workloads.ts';

test('in a mesh of any size only peers that there are die', () => {
  const [small, large] = [8, 50].map((size) => WORKLOADS['mesh']?.plan(size).victims?.numbers);
  assert.deepEqual(small, [1, 7]);
  assert.deepEqual(large, [20, 1, 40, 33, 7]);
});

test('what a receiver waits for is what the feeders tell', () => {
  const plan = WORKLOADS['equals']?.plan(10);
  assert.ok(plan);
  assert.equal(plan.feeds.length, 30);
  const { peers } = plan.world;
  const expected = peers.map((peer, number) => plan.expects(peer, number));
  assert.deepEqual(expected, [...Array(30).fill(0), 10 + 30]);
  assert.deepEqual([plan.routes, plan.paths], [40, 330]);
});
