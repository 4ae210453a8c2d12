import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStoreConformance } from './conformance.ts';
import { MemoryStore } from './memory_store.ts';
import { StoreUnavailable } from './store.ts';

testStoreConformance('MemoryStore', async () => {
  const store = new MemoryStore();
  return { store, prefix: '/test/', compact: async (revision) => store.compact(revision) };
});

const isUnavailable = (error: unknown): boolean => error instanceof StoreUnavailable;

test('MemoryStore interrupt() fails calls and ends watches until resume()', async () => {
  const store = new MemoryStore();
  const { signal } = new AbortController();
  const watch = store.watch('/', 1n, signal)[Symbol.asyncIterator]();
  const waiting = watch.next();
  store.interrupt();
  await assert.rejects(Promise.resolve(waiting), isUnavailable);
  await assert.rejects(store.get('/a'), isUnavailable);
  store.resume();
  assert.equal(await store.get('/a'), undefined);
});

test('MemoryStore expire() is a lease that ran out', async () => {
  const store = new MemoryStore();
  const lease = await store.lease(5, new AbortController().signal);
  const operations = [{ kind: 'put', key: '/a', value: '1', lease } as const];
  await store.commit({ compare: [], operations });
  store.expire(lease);
  await lease.lost;
  assert.equal(await store.get('/a'), undefined);
});
