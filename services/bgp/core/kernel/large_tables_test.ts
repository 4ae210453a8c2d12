// Walks over everything, in slices: what happens between two of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix } from '@calico/ip';
import { Fixture } from '../../testing/kernel_fixture.ts';
import type { PathFields } from '../../testing/paths.ts';
import { NAMED } from './shortened.ts';

/** More than a slice of any walk. */
const COUNT = 66_000;

function routes(): PathFields[] {
  return Array.from({ length: COUNT }, (_, index) => {
    const [a, b, c] = [244 + (index >> 14), (index >> 6) & 255, (index & 63) * 4];
    return { prefix: `10.${a}.${b}.${c}/30` };
  });
}

test('a large table leaves with its way as a whole, and what others took of it comes back', () => {
  const fixture = new Fixture().learn(...routes());
  const { kernel, sync, table } = fixture;
  const turns: (() => void)[] = [];
  fixture.defer = (callback) => turns.push(callback);
  const takeTurns = (): number => {
    let count = 0;
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift(), count++) turn();
    return count;
  };

  // Others take two.
  const [first = '', second = ''] = [...kernel.routes.keys()].slice(-2);
  kernel.routes.delete(first);
  kernel.routes.delete(second);
  sync.resync();
  turns.shift()?.();
  assert.equal(kernel.routes.size, COUNT - 2);
  assert.ok(takeTurns() > 4);
  assert.deepEqual([kernel.routes.size, sync.isDone], [COUNT, true]);
  assert.deepEqual(
    fixture.repaired,
    [first, second].map((prefix) => `${prefix} via 192.168.80.101`),
  );

  // Others take all.
  kernel.routes.clear();
  sync.resync();
  takeTurns();
  assert.deepEqual([kernel.routes.size, sync.isDone], [COUNT, true]);
  assert.deepEqual([fixture.repaired.length, fixture.repairedCount], [2 + NAMED, 2 + COUNT]);

  const removed: number[] = [];
  kernel.removeWays = (prefixes, onGone) => {
    removed.push(prefixes.length);
    for (const prefix of prefixes) {
      kernel.routes.delete(formatPrefix(table.rib.prefixes.prefixOf(prefix)));
    }
    onGone(prefixes, true);
  };
  kernel.ways.set('192.168.80.101', undefined);
  sync.followWays();
  assert.ok(takeTurns() > COUNT / 2_048);
  assert.deepEqual([removed, kernel.routes.size, sync.isDone], [[COUNT], 0, true]);
});
