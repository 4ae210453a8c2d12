import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiClient } from './api_client.ts';
import { patienceFor } from './patience.ts';

test('patienceFor() gives api and ipam time to answer that etcd does not', () => {
  for (const seconds of [1, 2, 3, 5, 9]) {
    assert.ok(patienceFor(seconds).writeMs > seconds * 1_000, `${seconds} s`);
  }
  assert.equal(patienceFor(1).writeMs, 4_000);
  assert.equal(patienceFor(60).writeMs, 10_000, 'the CNI plugin does not wait longer');
});

test('calls end after what they are given', async () => {
  const asked: unknown[] = [];
  const remote = {
    patch: async (_: unknown, options: unknown) => asked.push(options),
  } as unknown as ConstructorParameters<typeof ApiClient>[0];
  await new ApiClient(remote).patchNode('n1', {});
  await new ApiClient(remote, patienceFor(7)).patchNode('n1', {});
  assert.deepEqual(asked, [{ timeoutMs: 4_000 }, { timeoutMs: 9_334 }]);
});
