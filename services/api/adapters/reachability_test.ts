import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { MemoryStore } from '@calico/store';
import { HealthRegistry } from '@calico/telemetry';
import { watchReachability } from './reachability.ts';

test('watchReachability() is ready while etcd answers, and not when it goes away later', async () => {
  const store = new MemoryStore();
  const get = store.get.bind(store);
  const health = new HealthRegistry();
  const clock = new FakeClock();
  const stopping = new AbortController();
  const watching = watchReachability({ store, clock, health, signal: stopping.signal });
  await turn();
  assert.equal(health.ready, true);
  store.get = () => Promise.reject(new Error('etcd is unavailable'));
  clock.advance(2000);
  await turn();
  assert.equal(health.describe(), 'etcd: not ready (etcd is unavailable)\n');
  store.get = get;
  clock.advance(2000);
  await turn();
  assert.equal(health.ready, true);
  stopping.abort();
  await watching;
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
