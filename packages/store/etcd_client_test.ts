// What etcd learns when a caller gives up, seen by a bare HTTP/2 server in its place.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { systemClock } from '@calico/clock';
import { openEtcd } from './etcd_store.ts';
import type { Store } from './store.ts';

const NO_ERROR = 0;
const CANCEL = 8;
/** Shorter than that of a request, whose end would be a reset as well. */
const LIMIT = { timeout: 120_000 };

/** A store whose etcd never answers; `nextCall`: the next call that comes to it. */
async function silentEtcd(
  t: TestContext,
): Promise<{ store: Store; nextCall: () => Promise<ServerHttp2Stream> }> {
  const calls = new EventEmitter<{ call: [ServerHttp2Stream] }>();
  const server = createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.resume();
    calls.emit('call', stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const store = openEtcd({
    endpoints: [`http://127.0.0.1:${port}`],
    clock: systemClock,
    logger: { info: () => {}, warn: () => {} },
    requestTimeoutMs: 300_000,
  });
  t.after(() => {
    store.close();
    server.close();
  });
  return { store, nextCall: async () => (await once(calls, 'call'))[0] as ServerHttp2Stream };
}

/** Starts the work and aborts it when its call has come; answers the call. */
async function aborted(
  nextCall: () => Promise<ServerHttp2Stream>,
  work: (signal: AbortSignal) => Promise<unknown>,
): Promise<ServerHttp2Stream> {
  const controller = new AbortController();
  const coming = nextCall();
  const running = work(controller.signal);
  const stopped = assert.rejects(running, /^Error: stop$/);
  const call = await coming;
  controller.abort(new Error('stop'));
  await stopped;
  return call;
}

test('a read whose caller gives up is taken back', LIMIT, async (t) => {
  const { store, nextCall } = await silentEtcd(t);
  const call = await aborted(nextCall, (signal) => store.get('/a', { signal }));
  if (!call.closed) await once(call, 'close');
  assert.equal(call.rstCode, CANCEL);
});

test('a commit whose caller gives up runs on: a reset would not undo it', LIMIT, async (t) => {
  const { store, nextCall } = await silentEtcd(t);
  const operations = [{ kind: 'put', key: '/a', value: '1' } as const];
  const commit = await aborted(nextCall, (signal) =>
    store.commit({ compare: [], operations }, { signal }),
  );
  // On the same connection, so a reset of the commit would have come before.
  const read = await aborted(nextCall, (signal) => store.list('/a', { signal }));
  if (!read.closed) await once(read, 'close');
  assert.deepEqual([commit.closed, commit.rstCode], [false, NO_ERROR]);
});
