import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cease,
  describeNotification,
  hardReset,
  isHardReset,
  reasonOfHardReset,
  shutdownText,
} from './notification.ts';

const message = (...data: number[]) =>
  ({ kind: 'notification', code: 6, subcode: 2, data: Uint8Array.from(data) }) as const;

test('cease() carries a text with administrative shutdown and reset only', () => {
  assert.equal(shutdownText(cease(2, 'kernel update')), 'kernel update');
  assert.equal(shutdownText(cease(4, 'новая версия')), 'новая версия');
  assert.equal(shutdownText(cease(3, 'ignored')), undefined);
  assert.equal(cease(3, 'ignored').data.length, 0);
});

test('cease() cuts a long text at the end of a character', () => {
  const text = shutdownText(cease(2, '€'.repeat(200)));
  assert.equal(text, '€'.repeat(85));
});

test('shutdownText() is undefined for malformed texts', () => {
  assert.equal(shutdownText(message()), undefined);
  assert.equal(shutdownText(message(5, 65)), undefined);
  assert.equal(shutdownText(message(1, 0xff)), undefined);
});

test('describeNotification() reads like a sentence of the log', () => {
  assert.equal(
    describeNotification(cease(2, 'maintenance')),
    'Cease: Administrative shutdown: maintenance',
  );
  assert.equal(
    describeNotification({ kind: 'notification', code: 4, subcode: 0, data: new Uint8Array() }),
    'Hold timer expired',
  );
  assert.equal(
    describeNotification({ kind: 'notification', code: 9, subcode: 8, data: new Uint8Array() }),
    'Error code 9: subcode 8',
  );
});

test('hardReset() carries its reason (RFC 8538)', () => {
  const inside = cease(2, 'maintenance');
  const hard = hardReset(inside);
  assert.deepEqual([isHardReset(hard), isHardReset(inside)], [true, false]);
  assert.deepEqual(reasonOfHardReset(hard), inside);
  assert.equal(
    describeNotification(hard),
    'Cease: Hard reset: Cease: Administrative shutdown: maintenance',
  );
  assert.equal(describeNotification(hardReset(hard)), 'Cease: Hard reset: Hard reset');
  for (const data of [[], [6]]) {
    const bare = { ...hard, data: Uint8Array.from(data) };
    assert.equal(describeNotification(bare), 'Cease: Hard reset');
  }
});
