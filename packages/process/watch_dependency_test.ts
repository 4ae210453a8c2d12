import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { HealthRegistry } from '@calico/telemetry';
import { watchDependency } from './watch_dependency.ts';

test('watchDependency() is ready while there are answers, and not when they stop later', async () => {
  let refusal: Error | undefined;
  const health = new HealthRegistry();
  const clock = new FakeClock();
  const stopping = new AbortController();
  const watching = watchDependency({
    name: 'etcd',
    ask: () => (refusal === undefined ? Promise.resolve() : Promise.reject(refusal)),
    clock,
    health,
    signal: stopping.signal,
  });
  await turn();
  assert.equal(health.ready, true);
  refusal = new Error('etcd is unavailable');
  clock.advance(2000);
  await turn();
  assert.equal(health.describe(), 'etcd: not ready (etcd is unavailable)\n');
  refusal = undefined;
  clock.advance(2000);
  await turn();
  assert.equal(health.ready, true);
  stopping.abort();
  await watching;
});

test('watchDependency() reports nothing of a question that the end of the process has cut off', async () => {
  const health = new HealthRegistry();
  const stopping = new AbortController();
  const watching = watchDependency({
    name: 'etcd',
    ask: (signal) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    clock: new FakeClock(),
    health,
    signal: stopping.signal,
  });
  stopping.abort();
  await watching;
  assert.equal(health.describe(), '');
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
