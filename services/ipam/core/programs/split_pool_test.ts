import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordMap, RunningProgram } from '../record_map.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignStep } from './auto_assign.ts';
import { type SplitRequest, splitPool } from './split_pool.ts';
import { utilization } from './utilization.ts';

const NOW = 1_790_000_000_000;
const POOLS = '/calico/resources/v3/projectcalico.org/ippools/';
const REQUEST: SplitRequest = { pool: 'p', parts: 4, dryRun: false, uids: ['a', 'b', 'c', 'd'] };

function sample(): RecordMap {
  const map = new RecordMap();
  const spec = { cidr: '10.0.0.0/24', blockSize: 28, ipipMode: 'Always', future: { kept: true } };
  map.put(`${POOLS}p`, JSON.stringify({ kind: 'IPPool', metadata: { name: 'p', uid: 'x' }, spec }));
  return map;
}

test('the parts take the place of the pool; addresses stay', () => {
  const map = sample();
  const [assigned] = map.run(assignStep(assignRequest('n1', 'h'), NOW)).addresses;
  const parts = map.run(splitPool(REQUEST, NOW));
  assert.deepEqual(parts[3], { name: 'split-p-3', cidr: '10.0.0.192/26' });
  const stored = JSON.parse(map.values.get(`${POOLS}split-p-1`) ?? '');
  assert.deepEqual(stored, {
    kind: 'IPPool',
    metadata: { name: 'split-p-1', uid: 'b', creationTimestamp: '2026-09-21T14:13:20Z' },
    spec: { cidr: '10.0.0.64/26', blockSize: 28, ipipMode: 'Always', future: { kept: true } },
  });
  assert.equal(map.values.has(`${POOLS}p`), false);
  const use = map.run(utilization([], NOW));
  assert.equal(
    use.reduce((sum, { inUse }) => sum + inUse, 0),
    1,
  );
  const again = map.run(assignStep(assignRequest('n1', 'h'), NOW)).addresses[0];
  assert.equal(again?.address, assigned?.address);
  assert.match(again?.pool ?? '', /^split-p-/);
});

test('a dry run changes nothing', () => {
  const map = sample();
  const { revision } = map;
  assert.equal(map.run(splitPool({ ...REQUEST, dryRun: true }, NOW)).length, 4);
  assert.equal(map.revision, revision);
});

test('what cannot be split is refused with what would be accepted', () => {
  const cases: [Partial<SplitRequest>, RegExp][] = [
    [{ parts: 3 }, /into 3 parts: expected a power of two, 2 to 32/],
    [{ parts: 1 }, /expected a power of two/],
    [{ parts: 64 }, /expected a power of two, 2 to 32/],
    [{ parts: 32 }, /smaller than a block of size \/28/],
    [{ pool: 'q' }, /no pool has this name or CIDR; pools: p/],
  ];
  for (const [change, message] of cases) {
    assert.throws(() => sample().run(splitPool({ ...REQUEST, ...change }, NOW)), message);
  }
  const map = sample();
  map.put(`${POOLS}split-p-2`, JSON.stringify({ spec: { cidr: '10.9.0.0/24' } }));
  assert.throws(() => map.run(splitPool(REQUEST, NOW)), /pool "split-p-2" exists already/);
});

test('an assignment that races with the split is made in a part', () => {
  const map = sample();
  const assignment = new RunningProgram(map, () => assignStep(assignRequest('n1', 'h'), NOW));
  for (let i = 0; i < 4; i++) assignment.step();
  map.run(splitPool(REQUEST, NOW));
  while (!assignment.isDone) assignment.step();
  assert.equal(assignment.conflicts, 1);
  assert.match(assignment.value.addresses[0]?.pool ?? '', /^split-p-/);
});
