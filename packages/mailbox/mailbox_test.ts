import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mailbox, MailboxClosed } from './mailbox.ts';

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

test('Mailbox hands items over in order, to receivers that wait and to those that come', async () => {
  const mailbox = new Mailbox<number>(3);
  const early = [mailbox.receive(), mailbox.receive()];
  for (const n of [1, 2, 3, 4]) assert.equal(mailbox.offer(n), true);
  assert.deepEqual(await Promise.all(early), [1, 2]);
  assert.equal(mailbox.size, 2);
  assert.deepEqual([await mailbox.receive(), await mailbox.receive()], [3, 4]);
});

test('Mailbox holds senders back while it is full, and lets them in in order', async () => {
  const mailbox = new Mailbox<string>(1);
  const done: string[] = [];
  const sends = ['a', 'b', 'c'].map(async (item) => {
    await mailbox.send(item);
    done.push(item);
  });
  await turn();
  assert.deepEqual(done, ['a']);
  assert.equal(mailbox.offer('x'), false);
  assert.equal(await mailbox.receive(), 'a');
  await turn();
  assert.deepEqual(done, ['a', 'b']);
  assert.equal(await mailbox.receive(), 'b');
  assert.equal(await mailbox.receive(), 'c');
  await Promise.all(sends);
});

test('Mailbox forgets senders and receivers whose signal aborts', async () => {
  const mailbox = new Mailbox<number>(1);
  const stop = new AbortController();
  const receiving = mailbox.receive(stop.signal);
  const reason = new Error('enough');
  stop.abort(reason);
  await assert.rejects(receiving, reason);
  mailbox.offer(1);
  assert.equal(mailbox.size, 1, 'nobody took it');

  const other = new AbortController();
  const sending = mailbox.send(2, other.signal);
  other.abort(reason);
  await assert.rejects(sending, reason);
  assert.equal(await mailbox.receive(), 1);
  assert.equal(mailbox.size, 0);
  await assert.rejects(mailbox.receive(stop.signal), reason);
  await assert.rejects(mailbox.send(3, stop.signal), reason);
});

test('Mailbox close() refuses senders and ends receivers after what is in it', async () => {
  const mailbox = new Mailbox<number>(1);
  mailbox.offer(1);
  const late = mailbox.send(2);
  mailbox.close();
  mailbox.close();
  await assert.rejects(late, MailboxClosed);
  await assert.rejects(mailbox.send(3), MailboxClosed);
  assert.equal(mailbox.offer(4), false);
  assert.deepEqual(await Array.fromAsync(mailbox), [1]);
  assert.equal(await mailbox.receive(), undefined);

  const empty = new Mailbox<number>(1);
  const receiving = empty.receive();
  empty.close();
  assert.equal(await receiving, undefined);
});

test('Mailbox can be iterated while it is filled', async () => {
  const mailbox = new Mailbox<number>(4);
  const filling = (async () => {
    for (let n = 0; n < 1000; n++) await mailbox.send(n);
    mailbox.close();
  })();
  const seen = await Array.fromAsync(mailbox);
  await filling;
  assert.deepEqual(
    seen,
    Array.from({ length: 1000 }, (_, n) => n),
  );
});

test('Mailbox leaves no abort listeners behind', async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...given: Parameters<typeof add>) => {
    listeners++;
    add(...given);
  };
  signal.removeEventListener = (...given: Parameters<typeof remove>) => {
    listeners--;
    remove(...given);
  };
  const mailbox = new Mailbox<number>(1);
  const receiving = mailbox.receive(signal);
  await mailbox.send(1, signal);
  await receiving;
  mailbox.offer(2);
  const sending = mailbox.send(3, signal);
  await mailbox.receive(signal);
  await sending;
  assert.equal(listeners, 0);
});

test('Mailbox needs room for something', () => {
  for (const capacity of [0, -1, 1.5]) assert.throws(() => new Mailbox(capacity), RangeError);
});
