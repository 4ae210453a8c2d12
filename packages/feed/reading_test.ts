import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reading } from './reading.ts';

test('Reading lets others have their turn when documents have taken long', async () => {
  const reading = new Reading();
  const order: string[] = [];
  setImmediate(() => order.push('another'));
  for (const name of ['a', 'b']) {
    order.push(reading.read(() => slow(name)));
    await reading.pause();
  }
  assert.deepEqual(order, ['a', 'another', 'b']);
});

test('Reading counts what a broken document has cost, and says what is wrong with it', async () => {
  const reading = new Reading();
  let hasTurned = false;
  setImmediate(() => {
    hasTurned = true;
  });
  assert.throws(() => reading.read(() => JSON.parse(slow('{'))), SyntaxError);
  await reading.pause();
  assert.ok(hasTurned);
});

function slow(name: string): string {
  for (const until = performance.now() + 5; performance.now() < until; );
  return name;
}
