import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { RetryLoop } from './retry_loop.ts';

async function idle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

test('ask() backs off while the work fails, then starts afresh', async () => {
  const clock = new FakeClock();
  let runs = 0;
  let fails = true;
  const loop = new RetryLoop({
    clock,
    jitter: () => 0.5,
    work: async () => {
      runs += 1;
      if (fails) throw new Error('not yet');
    },
    onFailure: () => {},
  });
  loop.ask();
  await idle();
  assert.equal(runs, 1);
  // Asking again does not shorten the wait.
  loop.ask();
  await idle();
  assert.equal(runs, 1);
  clock.advance(500);
  await idle();
  assert.equal(runs, 2);
  clock.advance(500);
  await idle();
  assert.equal(runs, 2);
  clock.advance(500);
  await idle();
  assert.equal(runs, 3);
  fails = false;
  clock.advance(2_000);
  await idle();
  assert.equal(runs, 4);
  clock.advance(60_000);
  await idle();
  assert.equal(runs, 4);
});

test('ask() during a run makes one more, however often', async () => {
  const clock = new FakeClock();
  const gates: PromiseWithResolvers<void>[] = [];
  const loop = new RetryLoop({
    clock,
    jitter: () => 0.5,
    work: () => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise;
    },
    onFailure: () => {},
  });
  loop.ask();
  loop.ask();
  loop.ask();
  gates[0]?.resolve();
  await idle();
  assert.equal(gates.length, 2);
  gates[1]?.resolve();
  await idle();
  assert.equal(gates.length, 2);
  loop.stop();
  loop.ask();
  await idle();
  assert.equal(gates.length, 2);
});
