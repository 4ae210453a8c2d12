import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setLongTimer } from './long_timer.ts';
import { systemClock } from './system_clock.ts';

test('delays that the runtimes have no timers for are not over at once', async () => {
  const cancels = [2 ** 31, 194 * 86_400_000, Number.POSITIVE_INFINITY].map((delayMs) =>
    systemClock.setTimer(delayMs, () => assert.fail('not yet')),
  );
  const abort = new AbortController();
  const sleeping = systemClock.sleep(2 ** 31, abort.signal);
  await systemClock.sleep(30);
  for (const cancel of cancels) cancel();
  abort.abort(new Error('still asleep'));
  await assert.rejects(sleeping, /still asleep/);
});

test('a timer made of several fires once, after all of them, unless it is cancelled in between', async () => {
  const fired: string[] = [];
  const cancel = setLongTimer(40, () => fired.push('cancelled'), 10);
  const before = performance.now();
  await new Promise<void>((resolve) => {
    setLongTimer(25, resolve, 10);
  });
  assert.ok(performance.now() - before > 15, 'longer than one of the three');
  cancel();
  await systemClock.sleep(60);
  assert.deepEqual(fired, []);
});
