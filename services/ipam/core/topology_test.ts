import assert from 'node:assert/strict';
import { test } from 'node:test';
import { superBitsOf, topologyOf } from './topology.ts';

const bits = (length: number, blockSize: number): number | undefined =>
  superBitsOf({ cidr: { length }, blockSize });

const node = (labels: object): string => JSON.stringify({ metadata: { labels } });

test('topologyOf() joins the zone and one more label', () => {
  const labels = { 'topology.kubernetes.io/zone': 'a', rack: 'r7', other: 'x' };
  assert.equal(topologyOf(node(labels), ''), 'topology.kubernetes.io/zone=a');
  assert.equal(topologyOf(node(labels), 'rack'), 'rack=r7,topology.kubernetes.io/zone=a');
  assert.equal(topologyOf(node({ rack: 'r7' }), 'rack'), 'rack=r7');
});

test('topologyOf() knows nothing of a node without labels, or that cannot be read', () => {
  for (const json of [undefined, '{', '{}', 'null', node({ rack: 7 }), node({ other: 'x' })]) {
    assert.equal(topologyOf(json, 'rack'), undefined, json);
  }
});

test('superBitsOf() leaves at least four super-blocks in a pool', () => {
  assert.deepEqual(
    [bits(16, 26), bits(20, 26), bits(23, 26), bits(24, 26), bits(26, 26)],
    [6, 4, 1, undefined, undefined],
  );
  assert.equal(bits(48, 122), 6);
});
