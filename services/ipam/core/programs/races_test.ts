// Programs interleaved step by step at random: whatever the order, no address has two owners and
// handles say exactly what blocks say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressAt, formatAddress, parseAddress, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { inconsistencies } from '../consistency.ts';
import { IpamError } from '../ipam_error.ts';
import type { Program } from '../program.ts';
import { RecordMap, RunningProgram } from '../record_map.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignIp } from './assign_ip.ts';
import { assignStep } from './auto_assign.ts';
import { claimBlock, poolForClaim, releaseBlock } from './claim.ts';
import { releaseHandle } from './release.ts';

const NOW = 1_790_000_000_000;
const POOL_KEY = '/calico/resources/v3/projectcalico.org/ippools/small';

function records(): RecordMap {
  const map = new RecordMap();
  map.put(POOL_KEY, JSON.stringify({ spec: { cidr: '10.0.0.0/28', blockSize: 30 } }));
  return map;
}

function checkRecords(map: RecordMap): void {
  assert.deepEqual(inconsistencies(map.values), []);
}

type Action = { kind: number; node: number; handle: number; block: number; count: number };

const actions = fc.array(
  fc.record({
    kind: fc.nat(9),
    node: fc.nat(2),
    handle: fc.nat(5),
    block: fc.nat(3),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 2, maxLength: 12 },
);

function start(map: RecordMap, action: Action): () => Program<unknown> {
  const node = `n${action.node}`;
  const handleId = `h${action.handle}`;
  const cidr = parsePrefix(`10.0.0.${action.block * 4}/30`);
  if (action.kind < 5) return () => assignStep(assignRequest(node, handleId, action.count), NOW);
  if (action.kind < 7) return () => releaseHandle(handleId, NOW);
  if (action.kind === 7) {
    const owner = { handleId, secondary: { node } };
    const address = addressAt(cidr, action.count);
    return () => assignIp({ address, node, owner, use: undefined }, NOW);
  }
  if (action.kind === 8) {
    const pool = map.run(poolForClaim(cidr));
    return () => claimBlock(cidr, node, pool, NOW);
  }
  return () => releaseBlock(cidr, node, false, NOW);
}

test('any interleaving of operations leaves blocks, handles and affinities in agreement', () => {
  fc.assert(
    fc.property(actions, fc.infiniteStream(fc.nat()), (sequence, choices) => {
      const map = records();
      const running = sequence.map((action) => new RunningProgram(map, start(map, action)));
      for (let live = running; live.length > 0; live = live.filter((one) => !one.isDone)) {
        const chosen = live[(choices.next().value ?? 0) % live.length];
        const before = map.revision;
        try {
          chosen?.step();
        } catch (error) {
          assert.ok(error instanceof IpamError, String(error));
          live = live.filter((one) => one !== chosen);
        }
        if (map.revision !== before) checkRecords(map);
      }
      checkRecords(map);
    }),
    { numRuns: 400 },
  );
});

test('two nodes that race for the last address: one gets it, the other is told why not', () => {
  const map = records();
  map.put(POOL_KEY, JSON.stringify({ spec: { cidr: '10.0.0.0/32', blockSize: 32 } }));
  const one = new RunningProgram(map, () => assignStep(assignRequest('n1', 'h1'), NOW));
  const two = new RunningProgram(map, () => assignStep(assignRequest('n2', 'h2'), NOW));
  while (!one.isDone || !two.isDone) {
    if (!one.isDone) one.step();
    if (!two.isDone) two.step();
  }
  const counts = [one, two]
    .map((program) => program.value.addresses.length)
    .toSorted((a, b) => a - b);
  assert.deepEqual(counts, [0, 1]);
  assert.equal(one.conflicts + two.conflicts, 1);
  checkRecords(map);
});

test('a pool that is disabled between read and commit gives nothing', () => {
  const map = records();
  const program = new RunningProgram(map, () => assignStep(assignRequest('n1', 'h1'), NOW));
  for (let i = 0; i < 4; i++) program.step();
  map.put(
    POOL_KEY,
    JSON.stringify({ spec: { cidr: '10.0.0.0/28', blockSize: 30, disabled: true } }),
  );
  assert.throws(() => {
    while (!program.isDone) program.step();
  }, /no enabled pool/);
  checkRecords(map);
});

test('a repeated assignment answers the same addresses and writes nothing', () => {
  const map = records();
  const first = map.run(assignStep(assignRequest('n1', 'h1', 2), NOW));
  const { revision } = map;
  const second = map.run(assignStep(assignRequest('n1', 'h1', 2), NOW));
  assert.deepEqual(second.addresses, first.addresses);
  assert.equal(map.revision, revision);
  const more = map.run(assignStep(assignRequest('n1', 'h1', 3), NOW));
  assert.equal(more.addresses.length, 3);
  assert.equal(
    formatAddress(parseAddress(more.addresses[0]?.address ?? '')),
    first.addresses[0]?.address,
  );
});
