import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchLoopDelay } from './loop_delay.ts';

test('watchLoopDelay() tells the longest delay since the last question', async () => {
  const read = watchLoopDelay();
  await new Promise((resolve) => setTimeout(resolve, 40));
  read();
  const until = performance.now() + 60;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 40));
  const longest = read();
  assert.ok(longest >= 30 || 'Deno' in globalThis, `${longest} ms`);
});
