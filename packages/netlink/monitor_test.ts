import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeLibc, messageBytes } from './fake_libc.ts';
import { LINKS, ROUTES } from './goldens.ts';
import { NetlinkMonitor } from './monitor.ts';
import type { MonitorEvent } from './types.ts';
import { RTM } from './uapi.ts';

const LINK = { bytes: messageBytes(RTM.NEWLINK, 0, 0, LINKS[1]?.hex ?? '') };
const ROUTE_GONE = { bytes: messageBytes(RTM.DELROUTE, 0, 0, ROUTES[1]?.hex ?? '') };

const text = (event: MonitorEvent): string =>
  event.kind === 'overrun' ? event.kind : `${event.action} ${event.kind}`;

async function collect(monitor: NetlinkMonitor, count: number): Promise<string[]> {
  const found: string[] = [];
  const iterator = monitor[Symbol.asyncIterator]();
  while (found.length < count) {
    const { done, value } = await iterator.next();
    if (done) break;
    found.push(text(value));
  }
  return found;
}

test('events come in order, with what was lost in between', async () => {
  const libc = new FakeLibc();
  const monitor = new NetlinkMonitor(libc, ['link', 'ipv4-route']);
  libc.queue.push(LINK, { errno: 105 }, { errno: 4 }, ROUTE_GONE);
  libc.wake();
  assert.deepEqual(await collect(monitor, 3), ['new link', 'overrun', 'deleted route']);
  monitor.close();
});

test('a message that cannot be read counts as lost', async () => {
  const libc = new FakeLibc();
  const monitor = new NetlinkMonitor(libc, ['link']);
  libc.queue.push({ bytes: messageBytes(RTM.NEWLINK, 0, 0, '0000') }, LINK);
  libc.wake();
  assert.deepEqual(await collect(monitor, 2), ['overrun', 'new link']);
  monitor.close();
});

test('a consumer that waits is woken by the next event', async () => {
  const libc = new FakeLibc();
  const monitor = new NetlinkMonitor(libc, ['link']);
  const waiting = collect(monitor, 1);
  await Promise.resolve();
  libc.queue.push(LINK);
  libc.wake();
  assert.deepEqual(await waiting, ['new link']);
  monitor.close();
});

test('close() ends the iteration and closes both descriptors, once', async () => {
  const libc = new FakeLibc();
  const monitor = new NetlinkMonitor(libc, ['link']);
  const waiting = collect(monitor, 1);
  monitor.close();
  monitor.close();
  assert.deepEqual(await waiting, []);
  assert.deepEqual(libc.closed, [3, 4]);
});

test('leaving the loop closes the monitor', async () => {
  const libc = new FakeLibc();
  const monitor = new NetlinkMonitor(libc, ['link']);
  libc.queue.push(LINK);
  libc.wake();
  for await (const event of monitor) {
    assert.equal(text(event), 'new link');
    break;
  }
  assert.deepEqual(libc.closed, [3, 4]);
});

test('a full queue is not filled further until it was read', async () => {
  const libc = new FakeLibc();
  const monitor = new NetlinkMonitor(libc, ['link']);
  libc.queue.push(...Array.from({ length: 20_000 }, () => LINK));
  libc.wake();
  assert.equal(libc.isPolled, false);
  assert.equal(libc.queue.length, 20_000 - 16_384);
  assert.equal((await collect(monitor, 16_384)).length, 16_384);
  assert.equal(libc.isPolled, true);
  monitor.close();
});

test('a receive that fails ends the iteration with its error', async () => {
  const libc = new FakeLibc();
  const monitor = new NetlinkMonitor(libc, ['link']);
  const waiting = collect(monitor, 1);
  await Promise.resolve();
  libc.queue.push({ errno: 9 });
  libc.wake();
  await assert.rejects(waiting, { name: 'NetlinkError', code: 'EBADF' });
  assert.deepEqual(libc.closed, [3, 4]);
});
