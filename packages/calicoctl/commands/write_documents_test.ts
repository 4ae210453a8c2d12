import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../session.ts';
import { type Item, writeAll } from './write_documents.ts';

const SESSION = { terminal: { elapsedMs: () => 0, out: () => {} } } as unknown as Session;
const CREATE = { infinitive: 'create', past: 'created' };

function failsWith(changes: readonly Item['change'][]): (message: string) => Promise<void> {
  const items = changes.map(
    (change, index): Item => ({ kind: 'IPPool', name: `${index}`, change }),
  );
  return (message) => assert.rejects(writeAll(SESSION, CREATE, items, undefined), { message });
}

const isDone = async () => 1n;
const isPassedOver = async () => undefined;
const fails = async () => assert.fail('no');

test('a failure in the middle says what was done, and what was passed over', async () => {
  await failsWith([isDone, isDone, fails])(
    "Partial success: created the first 2 out of 3 'IPPool' resources\nHit error: no",
  );
  await failsWith([isPassedOver, isDone, fails, isDone])(
    "Partial success: created 1, passed over 1, out of 4 'IPPool' resources\nHit error: no",
  );
  await failsWith([isPassedOver, fails])("Failed to create any 'IPPool' resources: no");
  await failsWith([fails])("Failed to create 'IPPool' resource: no");
});
