import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchLoopDelay } from './loop_delay.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('watchLoopDelay() tells the longest delay since the last question', async () => {
  const read = watchLoopDelay();
  if ('Deno' in globalThis) return assert.equal(read(), 0);
  let longest = 0;
  // On a loaded machine the sampling itself may be late.
  for (let attempt = 0; attempt < 50 && longest < 30; attempt++) {
    read();
    // The first interval after a question is not counted.
    await pause(30);
    const until = performance.now() + 60;
    while (performance.now() < until);
    await pause(30);
    longest = read();
  }
  assert.ok(longest >= 30, `${longest} ms`);
});
