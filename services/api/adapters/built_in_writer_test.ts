import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { MemoryStore } from '@calico/store';
import { HealthRegistry, silentLogger } from '@calico/telemetry';
import { writeBuiltIns } from './built_in_writer.ts';

test('writeBuiltIns() waits for etcd, says so once, and then creates what is missing', async () => {
  const store = new MemoryStore();
  const clock = new FakeClock();
  const health = new HealthRegistry();
  const warnings: string[] = [];
  store.interrupt();
  const writing = writeBuiltIns({
    store,
    clock,
    health,
    birth: () => ({ uid: 'uid', creationTimestamp: '2026-01-01T00:00:00Z' }),
    version: '1',
    logger: { ...silentLogger, warn: (message) => warnings.push(message) },
    signal: new AbortController().signal,
  });
  for (let attempt = 0; attempt < 5; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    clock.advance(1000);
  }
  assert.equal(health.ready, false);
  store.resume();
  await new Promise((resolve) => setTimeout(resolve, 1));
  clock.advance(1000);
  await writing;
  assert.equal(health.ready, true);
  assert.deepEqual(warnings, ['cannot reach etcd yet']);
  const { entries } = await store.list('/calico/resources/v3/projectcalico.org/tiers/');
  assert.equal(entries.length, 3);
});
