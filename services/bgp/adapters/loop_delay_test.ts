import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoopWatch } from './loop_delay.ts';

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const cpuMs = () => process.threadCpuUsage().user / 1_000;

const take = (watch: LoopWatch) => [watch.takeLate(), watch.takeBusy()] as const;

test('LoopWatch tells the longest delay since it was asked, and that it was our own', async () => {
  const watch = new LoopWatch();
  await pause(30);
  take(watch);
  for (const until = cpuMs() + 60; cpuMs() < until; );
  await pause(30);
  const [late, busy] = take(watch);
  assert.ok(late >= 30, `${late} ms late`);
  assert.ok(busy >= 30 && busy <= late, `${busy} of ${late} ms`);
  watch.close();
});

test('LoopWatch sees delays that are longer than its samples', async () => {
  const watch = new LoopWatch(1);
  await pause(30);
  take(watch);
  for (const until = performance.now() + 8; performance.now() < until; );
  await pause(30);
  const [late] = take(watch);
  assert.ok(late >= 7, `${late} ms late`);
  watch.close();
});

test('LoopWatch does not take waiting for work', async () => {
  const watch = new LoopWatch();
  await pause(30);
  take(watch);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
  await pause(30);
  const [late, busy] = take(watch);
  assert.ok(late >= 30, `${late} ms late`);
  assert.ok(busy < late / 2, `${busy} of ${late} ms`);
  watch.close();
});
