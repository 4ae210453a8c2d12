import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SourceQueue } from './source_queue.ts';

test('push() waits while the queue is full', async () => {
  const queue = new SourceQueue<number>(2);
  let written = 0;
  const writer = (async () => {
    for (let value = 0; value < 10; value++) {
      await queue.push(value);
      written = value + 1;
    }
  })();
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  assert.equal(written, 2);
  const read: number[] = [];
  for await (const value of queue) {
    read.push(value);
    if (read.length === 10) break;
  }
  await writer;
  assert.deepEqual(read, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('end() ends readers and writers', async () => {
  const queue = new SourceQueue<number>(1);
  await queue.push(1);
  const blocked = queue.push(2);
  const empty = new SourceQueue<number>(1);
  const reading = empty[Symbol.asyncIterator]().next();
  queue.end();
  empty.end();
  assert.equal(await blocked, false);
  assert.equal(await queue.push(3), false);
  assert.equal((await reading).done, true);
});
