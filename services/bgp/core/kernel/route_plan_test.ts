import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fixture } from '../../testing/kernel_fixture.ts';
import type { PathFields } from '../../testing/paths.ts';
import { REMOVE_ANYTHING } from './changes.ts';

const COUNT = 5_000;

function routes(): PathFields[] {
  return Array.from({ length: COUNT }, (_, index) => {
    return { prefix: `10.244.${index >> 6}.${(index & 63) * 4}/30` };
  });
}

test('very many routes are planned anew a part at a time, by what is configured in the end', () => {
  const fixture = new Fixture().learn(...routes());
  const { kernel, sync } = fixture;
  const turns: (() => void)[] = [];
  fixture.defer = (callback) => turns.push(callback);
  const takeTurns = (): number => {
    let count = 0;
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift(), count++) turn();
    return count;
  };
  fixture.configure({ vxlanMode: 'Always' });
  assert.deepEqual([kernel.routes.size, sync.isDone], [COUNT, false]);
  assert.equal(takeTurns(), 2);
  assert.deepEqual([kernel.routes.size, sync.isDone], [0, true]);

  fixture.configure({});
  turns.shift()?.();
  fixture.configure({ vxlanMode: 'Always' });
  sync.resync();
  assert.equal(sync.isDone, false);
  assert.ok(takeTurns() > 2);
  assert.deepEqual([kernel.routes.size, sync.isDone, fixture.repaired], [0, true, []]);

  fixture.configure({});
  takeTurns();
  assert.deepEqual([kernel.routes.size, sync.isDone], [COUNT, true]);

  const { settledCount } = fixture;
  kernel.log.length = 0;
  fixture.configure({});
  sync.allowRemoval(REMOVE_ANYTHING);
  assert.deepEqual([fixture.settledCount, sync.isDone], [settledCount, false]);
  assert.equal(takeTurns(), 2);
  assert.deepEqual([fixture.settledCount, sync.isDone], [settledCount + 1, true]);
  assert.deepEqual(kernel.log, [], 'what changes nothing is in force, too');
});

test('what goes on when the service stops leaves the kernel as it is', () => {
  const fixture = new Fixture().learn(...routes());
  const { kernel, sync } = fixture;
  const later: (() => void)[] = [];
  fixture.defer = (callback) => later.push(callback);
  kernel.log.length = 0;
  fixture.configure({ vxlanMode: 'Always' });
  sync.stop();
  for (let next = later.shift(); next !== undefined; next = later.shift()) next();
  sync.resync();
  assert.deepEqual([kernel.routes.size, kernel.log, later.length], [COUNT, [], 0]);
});
