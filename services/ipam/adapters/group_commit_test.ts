import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@calico/clock';
import type { Program, Reads } from '../core/program.ts';
import { ProgramRunner } from './program_runner.ts';
import { RecordMapStore } from './record_map_store.ts';

test('a remembered listing that a newer record contradicts is read again', async () => {
  const store = new RecordMapStore();
  let conflicts = 0;
  const onConflict = (): number => ++conflicts;
  const { group } = new ProgramRunner({ store, clock: systemClock, random: () => 0, onConflict });
  store.records.put('p/a', 'old');
  const values = () => group.run('n1', () => listed({ prefixes: ['p/'] }));
  assert.deepEqual(await values(), ['old']);
  store.records.put('p/a', 'new');
  await group.run('n1', () => reading({ keys: ['p/a'] }));
  const both = { prefixes: ['p/'], keys: ['p/a'] };
  assert.deepEqual(await group.run('n1', () => listed(both)), ['new']);
  assert.ok(conflicts <= 2, `${conflicts} conflicts`);
});

function* reading(reads: Reads): Program<undefined> {
  yield reads;
  return { value: undefined };
}

function* listed(reads: Reads): Program<string[]> {
  const known = yield reads;
  return { value: known.list('p/').map(({ value }) => value) };
}
