import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '@calico/clock';
import { type Lease, openEtcd, type Store, StoreUnavailable, type WatchBatch } from '@calico/store';
import { testStoreConformance } from '@calico/store/conformance';
import { Etcd3 } from 'etcd3';
import { PrivateEtcd } from './private_etcd.ts';

const quiet = { info: () => {}, warn: () => {} };
let etcd: PrivateEtcd;
let prefixes = 0;

before(async () => {
  etcd = await PrivateEtcd.start();
});

after(() => etcd.stop());

/** Longer than anything takes that is not refused or lost: what must not be waited for fails the test. */
const LONG_MS = 300_000;
/** For whatever a busy machine with a slow disk is to do. */
const LIMIT_MS = 60_000;

function open(options: { requestTimeoutMs?: number; watchProbeMs?: number } = {}): Store {
  const { requestTimeoutMs = LONG_MS } = options;
  return openEtcd({
    endpoints: [etcd.endpoint],
    clock: systemClock,
    logger: quiet,
    ...options,
    requestTimeoutMs,
  });
}

testStoreConformance('etcd', async (t) => {
  const store = open();
  const raw = new Etcd3({ hosts: etcd.endpoint });
  t.after(() => {
    store.close();
    raw.close();
  });
  const compact = async (revision: bigint): Promise<void> => {
    await raw.kv.compact({ revision: revision.toString() });
  };
  return { store, prefix: `/test/${++prefixes}/`, compact };
});

const isUnavailable =
  (outcome: string) =>
  (error: unknown): boolean =>
    error instanceof StoreUnavailable && error.outcome === outcome;

async function put(store: Store, key: string, value: string): Promise<bigint> {
  const result = await store.commit({ compare: [], operations: [{ kind: 'put', key, value }] });
  return result.kind === 'committed' ? result.revision : 0n;
}

/** Notes when a lease is lost. */
function observe(lease: Lease): { lost: boolean } {
  const seen = { lost: false };
  const note = (): void => {
    seen.lost = true;
  };
  void lease.lost.then(note);
  return seen;
}

async function eventually<T>(run: () => Promise<T>): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (performance.now() > end) throw error;
      await systemClock.sleep(50);
    }
  }
}

/** Fails when it takes longer. */
async function soon<T>(run: Promise<T>): Promise<T> {
  const late = new AbortController();
  const { signal } = late;
  const limit = systemClock.sleep(LIMIT_MS, signal).then(() => {
    throw new Error(`nothing within ${LIMIT_MS} ms`);
  });
  try {
    return await Promise.race([run, limit]);
  } finally {
    limit.catch(() => {});
    late.abort();
  }
}

/**
 * Something that must hold while a machine is in time, for times that a slow one keeps too: what is
 * broken fails with each of them.
 */
async function withPatience(
  seconds: readonly number[],
  run: (seconds: number) => Promise<void>,
): Promise<void> {
  for (const [index, each] of seconds.entries()) {
    try {
      return await run(each);
    } catch (cause) {
      if (index === seconds.length - 1) throw cause;
    }
  }
}

test('etcd halted: calls fail at once with nothing changed; it returns and they work', async (t) => {
  const store = open();
  t.after(() => store.close());
  const start = await put(store, '/outage/a', '1');
  const { signal } = new AbortController();
  const watch = store.watch('/outage/', start, signal)[Symbol.asyncIterator]();
  await watch.next();
  const waiting = watch.next();
  waiting.catch(() => {});
  await etcd.halt();
  t.after(() => etcd.run().catch(() => {}));
  await soon(assert.rejects(Promise.resolve(waiting), isUnavailable('nothing-changed')));
  await eventually(async () => {
    await soon(assert.rejects(put(store, '/outage/b', '1'), isUnavailable('nothing-changed')));
  });
  await soon(assert.rejects(store.get('/outage/a'), isUnavailable('nothing-changed')));
  const idle = store.watch('/outage/', start, signal)[Symbol.asyncIterator]();
  await soon(assert.rejects(Promise.resolve(idle.next()), isUnavailable('nothing-changed')));

  await etcd.run();
  await eventually(() => put(store, '/outage/b', '2'));
  assert.equal((await store.get('/outage/a'))?.value, '1');
  // Streams have a connection of their own, which comes back when it is tried again.
  await eventually(async () => {
    const again = store.watch('/outage/', start, signal)[Symbol.asyncIterator]();
    assert.equal((await again.next()).done, false);
    await again.return?.();
  });
});

test('etcd frozen: requests end in time, commits of unknown outcome, watches too', async (t) => {
  const store = open({ requestTimeoutMs: 700, watchProbeMs: 300 });
  t.after(() => store.close());
  const start = await eventually(() => put(store, '/frozen/a', '1'));
  const { signal } = new AbortController();
  const waiting = await eventually(async () => {
    const watch = store.watch('/frozen/', start, signal)[Symbol.asyncIterator]();
    await watch.next();
    const next = Promise.resolve(watch.next());
    next.catch(() => {});
    return [next] as const;
  });
  etcd.freeze();
  t.after(() => etcd.thaw());
  await soon(assert.rejects(put(store, '/frozen/a', '2'), isUnavailable('unknown')));
  await soon(assert.rejects(store.get('/frozen/a'), isUnavailable('nothing-changed')));
  await soon(assert.rejects(waiting[0], isUnavailable('nothing-changed')));
  etcd.thaw();
  await eventually(() => put(store, '/frozen/b', '3'));
});

test('etcd watch: an idle stream that answers its probes stays', async (t) => {
  const writer = open();
  t.after(() => writer.close());
  await withPatience([0.3, 2, 10], async (seconds) => {
    const store = open({ requestTimeoutMs: seconds * 1_000, watchProbeMs: 100 });
    t.after(() => store.close());
    const stop = new AbortController();
    const start = (await put(writer, '/busy', '1')) + 1n;
    const watch = store.watch('/idle/', start, stop.signal)[Symbol.asyncIterator]();
    const next = watch.next();
    next.catch(() => {});
    await systemClock.sleep(seconds * 3_000);
    await put(writer, '/idle/a', '1');
    const { value } = (await next) as { value: WatchBatch };
    assert.equal(value.events.length, 1);
    stop.abort();
  });
});

test('etcd lease: kept alive beyond its time, lost when etcd is away longer', async (t) => {
  const store = open();
  t.after(() => store.close());
  await withPatience([2, 6, 20], async (seconds) => {
    const stop = new AbortController();
    const lease = await store.lease(seconds, stop.signal);
    const operations = [{ kind: 'put', key: '/lease/a', value: 'x', lease } as const];
    await store.commit({ compare: [], operations });
    const seen = observe(lease);
    await systemClock.sleep(seconds * 1_750);
    assert.equal(seen.lost, false);
    assert.equal((await store.get('/lease/a'))?.value, 'x');
    etcd.freeze();
    await soon(lease.lost).finally(() => etcd.thaw());
    stop.abort();
  });
});

test('etcd lease: survives a restart of etcd shorter than its time', async (t) => {
  const store = open();
  t.after(() => store.close());
  await withPatience([6, 30, 90], async (seconds) => {
    const lease = await store.lease(seconds, new AbortController().signal);
    const seen = observe(lease);
    await etcd.halt();
    await systemClock.sleep(1_000);
    await etcd.run();
    await systemClock.sleep(seconds * 1_000);
    assert.equal(seen.lost, false);
    await lease.revoke();
    assert.equal(seen.lost, true);
  });
});

test('openEtcd() while etcd is away fails calls at once and works when it comes', async (t) => {
  await etcd.halt();
  const store = open();
  t.after(() => store.close());
  await soon(assert.rejects(store.clusterId(), isUnavailable('nothing-changed')));
  await etcd.run();
  await eventually(() => store.clusterId());
});

test('openEtcd() says what endpoints look like', () => {
  const wrong = [
    { endpoints: [], reason: /no endpoints/ },
    { endpoints: ['127.0.0.1:2379'], reason: /expected "http:\/\/host:port"/ },
    { endpoints: ['http://a:1', 'https://b:1'], reason: /mixed/ },
  ];
  for (const { endpoints, reason } of wrong) {
    assert.throws(() => openEtcd({ endpoints, clock: systemClock, logger: quiet }), reason);
  }
});
