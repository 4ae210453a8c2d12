import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Batch, Contradiction, ReadSet } from './batch.ts';
import { inconsistencies } from './consistency.ts';
import { IpamError } from './ipam_error.ts';
import { Draft, type Program } from './program.ts';
import { assignStep } from './programs/auto_assign.ts';
import { releaseHandle } from './programs/release.ts';
import { RecordMap } from './record_map.ts';
import { assignRequest } from './sample_requests.ts';

const NOW = 1_790_000_000_000;
const POOL_KEY = '/calico/resources/v3/projectcalico.org/ippools/p';

function records(): RecordMap {
  const map = new RecordMap();
  map.put(POOL_KEY, JSON.stringify({ spec: { cidr: '10.0.0.0/28', blockSize: 30 } }));
  return map;
}

/** Runs a program within the batch, reading the map. Answers its value, or the text of its refusal. */
function runIn(batch: Batch, map: RecordMap, program: Program<unknown>): unknown {
  const reads = new ReadSet();
  try {
    let step = program.next();
    while (step.done !== true) {
      const { keys = [], prefixes = [], isHint } = step.value;
      const found = map.read({ keys, prefixes });
      for (const key of keys) {
        if (!batch.hasFound(key)) batch.note(key, found.get(key));
        if (isHint !== true) reads.keys.add(key);
      }
      for (const prefix of prefixes) {
        const entries = found.list(prefix);
        if (!batch.hasListing(prefix))
          batch.noteListing(prefix, { entries, revision: map.revision });
        if (isHint !== true) reads.prefixes.add(prefix);
      }
      step = program.next(batch.known);
    }
    assert.ok(batch.accept(reads, step.value.transaction));
    return step.value.value;
  } catch (error) {
    if (!(error instanceof IpamError)) throw error;
    assert.ok(batch.accept(reads, undefined));
    return error.message;
  }
}

/** As runIn(), but each in its own transaction. */
function runAlone(map: RecordMap, program: Program<unknown>): unknown {
  try {
    return map.run(program);
  } catch (error) {
    return (error as Error).message;
  }
}

const actions = fc.array(fc.record({ kind: fc.nat(2), node: fc.nat(1), handle: fc.nat(3) }), {
  minLength: 1,
  maxLength: 8,
});

test('Batch: programs in one transaction do what they do one after the other', () => {
  fc.assert(
    fc.property(actions, actions, (before, batched) => {
      const [together, apart] = [records(), records()];
      const programs = (list: typeof before): (() => Program<unknown>)[] =>
        list.map(
          ({ kind, node, handle }) =>
            () =>
              kind === 0
                ? releaseHandle(`h${handle}`, NOW)
                : assignStep(assignRequest(`n${node}`, `h${handle}`), NOW),
        );
      for (const start of programs(before)) {
        runAlone(together, start());
        runAlone(apart, start());
      }
      const batch = new Batch();
      const values = programs(batched).map((start) => runIn(batch, together, start()));
      assert.ok(together.commit(batch.transaction));
      assert.deepEqual(
        values,
        programs(batched).map((start) => runAlone(apart, start())),
      );
      assert.deepEqual(together.values, apart.values);
      assert.deepEqual(inconsistencies(together.values), []);
    }),
  );
});

test('Batch: whatever changes meanwhile that a program rests on, nothing is written', () => {
  const changes: ((map: RecordMap) => void)[] = [
    (map) => map.put(POOL_KEY, JSON.stringify({ spec: { cidr: '10.0.0.0/28', disabled: true } })),
    (map) => map.delete(POOL_KEY),
    (map) => map.put(`${POOL_KEY}2`, '{}'),
    (map) => map.put('/calico/resources/v3/projectcalico.org/ipreservations/r', '{}'),
    (map) => map.put('/calico/ipam/v2/config', '{"strict_affinity":true}'),
    (map) => map.put('/calico/ipam/v2/handle/h', '{}'),
    (map) => map.put('/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-30', '{}'),
  ];
  for (const change of changes) {
    const map = records();
    const batch = new Batch();
    runIn(batch, map, assignStep(assignRequest('n1', 'h'), NOW));
    change(map);
    const { revision } = map;
    assert.equal(map.commit(batch.transaction), false, String(change));
    assert.equal(map.revision, revision);
  }
});

test('Batch: refuses two readings of one key that differ, and more than etcd takes', () => {
  const batch = new Batch();
  batch.note('k', { key: 'k', value: '1', modRevision: 5n });
  assert.throws(
    () => batch.note('k', { key: 'k', value: '2', modRevision: 6n }),
    (error) => error instanceof Contradiction && error.key === 'k',
  );
  const draft = new Draft();
  for (let i = 0; i < 121; i++) draft.put(`k${i}`, undefined, 'x');
  assert.equal(batch.accept(new ReadSet(), draft.transaction), false);
  assert.deepEqual(batch.transaction.operations, []);
});

test('Batch: created and deleted again is only compared', () => {
  const batch = new Batch();
  batch.note('k', undefined);
  const create = new Draft();
  create.put('k', undefined, 'x');
  assert.ok(batch.accept(new ReadSet(), create.transaction));
  const remove = new Draft();
  const entry = batch.known.get('k');
  assert.ok(entry);
  remove.delete('k', entry);
  assert.ok(batch.accept(new ReadSet(), remove.transaction));
  assert.deepEqual(batch.transaction, {
    compare: [{ key: 'k', modRevision: 0n }],
    unchanged: [],
    operations: [],
  });
});
