import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import { PrefixTable } from '../rib/prefix_table.ts';
import { Failures } from './failures.ts';

function world(count: number) {
  const prefixes = new PrefixTable();
  const failures = new Failures(prefixes);
  const ids = Array.from({ length: count }, (_, index) =>
    prefixes.intern(parsePrefix(`10.${index >> 8}.${index & 255}.0/24`)),
  );
  /** What is due at the second. */
  const due = (second: number): number[] => [...failures.takeDue(second * 1_000)].flat();
  return { prefixes, failures, ids, due };
}

test('what fails is tried again less and less often, each by itself', () => {
  const { prefixes, failures, ids, due } = world(2);
  const [first, second] = ids as [number, number];
  const times: number[] = [];
  failures.note(first, 'no');
  for (let now = 0; now <= 120; now++) {
    for (const id of due(now)) {
      times.push(now);
      failures.note(id, 'still no');
    }
  }
  assert.deepEqual(times, [3, 9, 21, 45, 75, 105]);
  failures.note(second, 'no');
  assert.deepEqual(due(121), []);
  assert.deepEqual([due(124), due(135)], [[second], [first, second]]);
  for (const id of ids) {
    prefixes.release(id);
    failures.forget(id);
    failures.forget(id);
  }
  assert.deepEqual([due(999), prefixes.size], [[], 0]);
});

test('a route that fails anew again and again holds up no others', () => {
  const { failures, ids, due } = world(2);
  const [first, flapping] = ids as [number, number];
  failures.note(first, 'no');
  const times: number[] = [];
  for (let now = 0; now <= 45; now++) {
    failures.forget(flapping);
    failures.note(flapping, 'no');
    for (const id of due(now)) if (id === first) times.push(now);
  }
  assert.deepEqual(times, [3, 9, 21, 45]);
});

test('very many are tried again in slices', () => {
  const { failures, ids, due } = world(20_000);
  for (const id of ids) failures.note(id, 'no');
  const slices = [...failures.takeDue(3_000)];
  assert.ok(slices.every(({ length }) => length < ids.length / 2));
  assert.deepEqual(slices.flat(), ids);
  assert.deepEqual(due(4), []);
});
