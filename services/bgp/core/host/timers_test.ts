import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { Timers } from './timers.ts';

function fixture(): { clock: FakeClock; timers: Timers; expired: string[] } {
  const clock = new FakeClock();
  const expired: string[] = [];
  const timers = new Timers(clock, (name) => expired.push(`${name}@${clock.now()}`));
  return { clock, timers, expired };
}

test('a timer expires once, at its time', () => {
  const { clock, timers, expired } = fixture();
  timers.set('a', 100);
  clock.advance(1_000);
  assert.deepEqual(expired, ['a@100']);
});

test('setting it again moves its deadline with one timer of the system', () => {
  const { clock, timers, expired } = fixture();
  for (let step = 0; step < 50; step++) {
    timers.set('hold', 100);
    clock.advance(10);
    assert.equal(clock.pending, 1);
  }
  clock.advance(1_000);
  assert.deepEqual(expired, ['hold@590']);
});

test('a shorter deadline takes effect', () => {
  const { clock, timers, expired } = fixture();
  timers.set('a', 1_000);
  timers.set('a', 10);
  clock.advance(2_000);
  assert.deepEqual(expired, ['a@10']);
});

test('cancel() and cancelAll() leave nothing behind', () => {
  const { clock, timers, expired } = fixture();
  timers.set('p|a', 10);
  timers.set('p|b', 10);
  timers.set('q|a', 10);
  timers.cancel('p|a');
  timers.cancel('unknown');
  timers.cancelAll('p|');
  clock.advance(100);
  assert.deepEqual(expired, ['q|a@10']);
  assert.equal(clock.pending, 0);
});
