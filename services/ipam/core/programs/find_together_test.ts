import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aggregate, parsePrefix, prefixOf } from '@calico/ip';
import * as fc from 'fast-check';
import { inconsistencies } from '../consistency.ts';
import { RecordMap, RunningProgram } from '../record_map.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignStep } from './auto_assign.ts';

const NOW = 1_790_000_000_000;
const RESOURCES = '/calico/resources/v3/projectcalico.org';

/** Nodes n0 to n<count>, in racks of five. */
function cluster(count: number, cidr = '10.0.0.0/16'): RecordMap {
  const map = new RecordMap();
  map.put(`${RESOURCES}/ippools/p`, JSON.stringify({ spec: { cidr, blockSize: 26 } }));
  map.put(
    `${RESOURCES}/ipamconfigurations/default`,
    JSON.stringify({ spec: { topologyLabel: 'rack' } }),
  );
  for (let node = 0; node < count; node++) {
    const labels = { rack: `r${Math.floor(node / 5)}` };
    map.put(`${RESOURCES}/nodes/n${node}`, JSON.stringify({ metadata: { labels } }));
  }
  return map;
}

function blockOf(map: RecordMap, node: number, handle: string): string {
  return map.run(assignStep(assignRequest(`n${node}`, handle, 64), NOW)).addresses[0]?.block ?? '';
}

test('nodes of a rack draw from one super-block, racks from different ones', () => {
  const map = cluster(20);
  const blocks = Array.from({ length: 20 }, (_, node) => [
    blockOf(map, node, `h${node}`),
    blockOf(map, node, `g${node}`),
  ]);
  const racks = [0, 1, 2, 3].map((rack) =>
    blocks
      .slice(5 * rack, 5 * rack + 5)
      .flat()
      .map((text) => parsePrefix(text)),
  );
  const supers = racks.map(
    (all) => new Set(all.map(({ family, value }) => prefixOf({ family, value }, 20).value)),
  );
  assert.deepEqual(
    supers.map(({ size }) => size),
    [1, 1, 1, 1],
  );
  assert.equal(new Set(supers.flatMap((all) => [...all])).size, 4);
  // Ten blocks, packed: 8 + 2.
  assert.deepEqual(
    racks.map((all) => aggregate(all).length),
    [2, 2, 2, 2],
  );
  for (const [first, second] of blocks) {
    assert.equal(aggregate([parsePrefix(first ?? ''), parsePrefix(second ?? '')]).length, 1);
  }
});

test('a node without labels, or in a pool too small for super-blocks, is placed as before', () => {
  const plain = new RecordMap();
  plain.put(
    `${RESOURCES}/ippools/p`,
    JSON.stringify({ spec: { cidr: '10.0.0.0/24', blockSize: 26 } }),
  );
  const small = cluster(1, '10.0.0.0/24');
  assert.equal(blockOf(small, 0, 'h'), blockOf(plain, 0, 'h'));
});

test('a full super-block is left for another, and every block of the pool is used', () => {
  const map = cluster(5, '10.0.0.0/21');
  const blocks = new Set(Array.from({ length: 32 }, (_, i) => blockOf(map, i % 5, `h${i}`)));
  assert.equal(blocks.size, 32);
  assert.deepEqual(aggregate([...blocks].map((text) => parsePrefix(text))), [
    parsePrefix('10.0.0.0/21'),
  ]);
});

test('nodes of a rack that race for the same block all get one', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), (choices) => {
      const map = cluster(10);
      const all = Array.from(
        { length: 10 },
        (_, node) =>
          new RunningProgram(map, () => assignStep(assignRequest(`n${node}`, `h${node}`), NOW)),
      );
      for (let live = all; live.length > 0; live = live.filter(({ isDone }) => !isDone)) {
        live[(choices.next().value ?? 0) % live.length]?.step();
      }
      const blocks = all.map(({ value }) => value.addresses[0]?.block);
      assert.equal(new Set(blocks).size, 10);
      assert.deepEqual(inconsistencies(map.values), []);
    }),
    { numRuns: 30 },
  );
});
