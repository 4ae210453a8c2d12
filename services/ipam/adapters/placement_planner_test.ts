import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FakeClock } from '@calico/clock';
import { parsePrefix } from '@calico/ip';
import { noMetrics } from '@calico/telemetry';
import { assignFree } from '../core/block_algebra.ts';
import { inconsistencies } from '../core/consistency.ts';
import { CONFIRMED } from '../core/records/affinity.ts';
import { formatBlock, newBlock } from '../core/records/block.ts';
import { affinityKey, blockKey } from '../core/records/keys.ts';
import { PlacementPlanner } from './placement_planner.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';

const START = 1_790_000_000_000;

/** Node n1 has two blocks, the second empty and beside a block of n2. */
function planner(applies: boolean, intervalSeconds = 300) {
  const store = new RecordMapStore();
  const clock = new FakeClock(START);
  const put = (text: string, node: string, used: number): void => {
    const cidr = parsePrefix(text);
    const owner = { handleId: 'h', secondary: { node } };
    const block = newBlock(cidr, `host:${node}`, START - 3_600_000);
    store.records.put(blockKey(cidr), formatBlock(assignFree(block, used, owner).block));
    store.records.put(affinityKey(node, cidr), CONFIRMED);
  };
  store.records.put('/calico/ipam/v2/handle/h', '{"block":{"10.0.0.0/26":1,"10.0.4.64/26":1}}');
  put('10.0.0.0/26', 'n1', 1);
  put('10.0.4.0/26', 'n1', 0);
  put('10.0.4.64/26', 'n2', 1);
  const logged: string[] = [];
  const log = (message: string): number => logged.push(message);
  const logger = { info: log, warn: log };
  const runner = new ProgramRunner({ store, clock, random: () => 0 });
  const metrics = noMetrics();
  const made = new PlacementPlanner({ runner, clock, logger, metrics, intervalSeconds, applies });
  const blocks = () => [...store.records.values.keys()].filter((key) => key.includes('/block/'));
  return { made, clock, store, put, logged, blocks };
}

test('a round proposes and changes nothing; what it proposes is told once', async () => {
  const { made, logged, blocks } = planner(false);
  const before = blocks();
  const plan = await made.round();
  await made.round();
  assert.deepEqual(
    plan.moves.map(({ block, node }) => [block, node]),
    [['10.0.4.0/26', 'n1']],
  );
  assert.deepEqual(blocks(), before);
  assert.deepEqual(logged, ['empty blocks could be given back']);
  assert.deepEqual([made.state.proposed, made.state.released], [1, 0]);
});

test('a block is given back when two rounds have proposed it', async () => {
  const { made, store, blocks } = planner(true);
  const before = blocks().length;
  await made.round();
  assert.equal(blocks().length, before);
  await made.round();
  assert.equal(blocks().length, before - 2, 'the block and its affinity');
  assert.equal(made.state.released, 1);
  assert.deepEqual(inconsistencies(store.records.values), []);
  await made.round();
  assert.equal(made.state.proposed, 0);
});

test('a block that is taken into use meanwhile stays', async () => {
  const { made, put, store, blocks } = planner(true);
  const before = blocks();
  await made.round();
  store.beforeAnswer = (kind) => {
    // After the second round has planned, before it gives back.
    if (kind === 'get') {
      store.beforeAnswer = () => {};
      put('10.0.4.0/26', 'n1', 1);
    }
  };
  await made.round();
  assert.deepEqual(blocks(), before);
  assert.equal(made.state.released, 0);
});

test('rounds come in intervals until the end; 0 turns them off', async () => {
  const { made, clock } = planner(false, 60);
  const over = new AbortController();
  const running = made.run(over.signal);
  clock.advance(59_000);
  await nextTurn();
  assert.equal(made.state.plannedAt, 0);
  clock.advance(2_000);
  for (let turn = 0; turn < 1000 && made.state.plannedAt === 0; turn++) await nextTurn();
  assert.notEqual(made.state.plannedAt, 0);
  over.abort();
  await running;
  await planner(false, 0).made.run(new AbortController().signal);
});
