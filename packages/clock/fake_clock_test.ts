import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './fake_clock.ts';

test('advance() fires timers in order of time, then of creation', () => {
  const clock = new FakeClock(100);
  const fired: string[] = [];
  clock.setTimer(20, () => fired.push(`b@${clock.now()}`));
  clock.setTimer(10, () => fired.push(`a@${clock.now()}`));
  clock.setTimer(20, () => fired.push(`c@${clock.now()}`));
  clock.advance(30);
  assert.deepEqual(fired, ['a@110', 'b@120', 'c@120']);
  assert.equal(clock.now(), 130);
});

test('advance() fires a timer that was set by a timer', () => {
  const clock = new FakeClock();
  const fired: number[] = [];
  const again = (): void => {
    fired.push(clock.now());
    if (fired.length < 3) clock.setTimer(5, again);
  };
  clock.setTimer(5, again);
  clock.advance(20);
  assert.deepEqual(fired, [5, 10, 15]);
});

test('setTimer() answers its cancellation', () => {
  const clock = new FakeClock();
  clock.setTimer(1, () => assert.fail('cancelled timers do not fire'))();
  clock.advance(2);
  assert.equal(clock.pending, 0);
});

test('sleep() rejects with the reason of the signal and leaves no timer', async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const sleeping = clock.sleep(1000, controller.signal);
  controller.abort(new Error('stop'));
  await assert.rejects(sleeping, /stop/);
  assert.equal(clock.pending, 0);
});
