import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Deadlines } from './deadlines.ts';

test('every deadline passes, whatever the order in which they were set', async () => {
  const deadlines = new Deadlines();
  const passed: number[] = [];
  const last = Promise.withResolvers<void>();
  const alive = setInterval(() => {}, 1000);
  for (const ms of [60, 20, 40]) deadlines.add(ms, () => passed.push(ms));
  deadlines.add(80, last.resolve);
  await last.promise;
  clearInterval(alive);
  assert.deepEqual(
    passed.toSorted((a, b) => a - b),
    [20, 40, 60],
  );
});

test('a deadline never passes early, nor after it was removed, nor twice', async () => {
  const deadlines = new Deadlines();
  const alive = setInterval(() => {}, 1000);
  let wasRemoved = true;
  const removed = deadlines.add(5, () => {
    wasRemoved = false;
  });
  let count = 0;
  const start = performance.now();
  const late = await new Promise<number>((resolve) => {
    deadlines.add(20, () => {
      count++;
      resolve(performance.now());
    });
    deadlines.remove(removed);
  });
  assert.ok(late >= start + 20, `${start} ms, then ${late} ms`);
  await new Promise<void>((resolve) => void deadlines.add(20, () => resolve()));
  clearInterval(alive);
  assert.equal(count, 1);
  assert.ok(wasRemoved);
});

test('what is set from within a passing deadline passes too', async () => {
  const deadlines = new Deadlines();
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    deadlines.add(1, () => void deadlines.add(1, resolve));
  });
  clearInterval(alive);
});

test('a deadline that fails keeps none of the others from passing', () => {
  const { setTimeout } = globalThis;
  const timers: (() => void)[] = [];
  const setTimer = (onTime: () => void) => {
    timers.push(onTime);
    return { unref: () => {} };
  };
  const passed: number[] = [];
  let failures = 0;
  globalThis.setTimeout = setTimer as unknown as typeof setTimeout;
  try {
    const deadlines = new Deadlines();
    for (const number of [1, 2, 3]) {
      deadlines.add(0, () => {
        passed.push(number);
        if (number < 3) throw new Error('this one');
      });
    }
    for (let look = timers.shift(); look !== undefined; look = timers.shift()) {
      try {
        look();
      } catch {
        failures++;
      }
    }
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assert.deepEqual([passed, failures], [[1, 2, 3], 2]);
});

test('a deadline that another removes as it passes does not pass', async () => {
  const deadlines = new Deadlines();
  const alive = setInterval(() => {}, 1000);
  let count = 0;
  const both: ReturnType<Deadlines['add']>[] = [];
  const passing = (): void => {
    count++;
    for (const each of both) deadlines.remove(each);
  };
  both.push(deadlines.add(1, passing), deadlines.add(1, passing));
  await new Promise<void>((resolve) => void deadlines.add(20, resolve));
  clearInterval(alive);
  assert.equal(count, 1);
});
