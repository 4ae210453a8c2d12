import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyedQueue } from './keyed_queue.ts';

test('run() serves one key in order, also after a failure, and different keys at once', async () => {
  const queue = new KeyedQueue();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = queue.run('a', async () => {
    await gate.promise;
    order.push('a1');
    throw new Error('a1 failed');
  });
  const second = queue.run('a', async () => {
    order.push('a2');
  });
  await queue.run('b', async () => {
    order.push('b1');
  });
  assert(queue.isBusy('a'));
  gate.resolve();
  await assert.rejects(first, /a1 failed/);
  await second;
  assert.deepEqual(order, ['b1', 'a1', 'a2']);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(queue.size, 0);
  assert(!queue.isBusy('a'));
});
