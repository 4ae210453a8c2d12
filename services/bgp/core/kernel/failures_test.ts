import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import { PrefixTable } from '../rib/prefix_table.ts';
import { Failures } from './failures.ts';

test('what fails is tried again less and less often, and soon when something new fails', () => {
  const prefixes = new PrefixTable();
  const failures = new Failures(prefixes);
  const [first, second] = ['10.1.0.0/16', '10.2.0.0/16'].map((text) =>
    prefixes.intern(parsePrefix(text)),
  ) as [number, number];
  const times: number[] = [];
  failures.note(first, 'no');
  for (let now = 0; now <= 120; now++) {
    const due = failures.takeDue(now * 1_000);
    if (due.length === 0) continue;
    times.push(now);
    for (const id of due) failures.note(id, 'still no');
  }
  assert.deepEqual(times, [3, 9, 21, 45, 75, 105]);
  failures.note(second, 'no');
  assert.deepEqual(failures.takeDue(121_000), []);
  assert.deepEqual(failures.takeDue(124_000), [first, second]);
  for (const id of [first, second]) {
    prefixes.release(id);
    failures.forget(id);
    failures.forget(id);
  }
  assert.deepEqual([failures.takeDue(999_000), prefixes.size], [[], 0]);
});
