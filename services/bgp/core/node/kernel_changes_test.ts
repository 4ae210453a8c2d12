import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { KernelChanges } from './kernel_changes.ts';

function fixture() {
  const clock = new FakeClock();
  const looks: string[] = [];
  const changes: KernelChanges = new KernelChanges(clock, (isToBeRead) => {
    looks.push(`${clock.now()}${isToBeRead ? ' read' : ''}`);
    if (isToBeRead) changes.read();
  });
  return { clock, looks, changes };
}

test('what others change is looked at together, once', () => {
  const { clock, looks, changes } = fixture();
  for (const isToBeRead of [false, true, false]) changes.take(isToBeRead);
  clock.advance(100);
  changes.take(false);
  clock.advance(100);
  assert.deepEqual(looks, ['20 read', '120']);
});

test('own routes that lead to next hops ask for a look a second at most', () => {
  const { clock, looks, changes } = fixture();
  for (let time = 0; time < 25; time++) {
    changes.takeOwn();
    clock.advance(100);
  }
  clock.advance(10_000);
  assert.deepEqual(looks, ['20', '1020', '2020', '3020']);
  changes.takeOwn();
  changes.stop();
  changes.takeOwn();
  changes.take(true);
  clock.advance(10_000);
  assert.equal(looks.length, 4);
});
