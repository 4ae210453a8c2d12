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

function open(options: { requestTimeoutMs?: number; watchProbeMs?: number } = {}): Store {
  return openEtcd({ endpoints: [etcd.endpoint], clock: systemClock, logger: quiet, ...options });
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

async function eventually<T>(limitMs: number, run: () => Promise<T>): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (performance.now() > end) throw error;
      await systemClock.sleep(50);
    }
  }
}

async function timed<T>(run: () => Promise<T>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
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
  await assert.rejects(Promise.resolve(waiting), isUnavailable('nothing-changed'));
  await eventually(20_000, async () => {
    await assert.rejects(put(store, '/outage/b', '1'), isUnavailable('nothing-changed'));
  });
  const wait = await timed(() => assert.rejects(store.get('/outage/a'), StoreUnavailable));
  assert.ok(wait < 5_000, `took ${wait} ms`);
  const idle = store.watch('/outage/', start, signal)[Symbol.asyncIterator]();
  await assert.rejects(Promise.resolve(idle.next()), isUnavailable('nothing-changed'));

  await etcd.run();
  const back = await timed(() => eventually(20_000, () => put(store, '/outage/b', '2')));
  assert.ok(back < 20_000, `took ${back} ms`);
  assert.equal((await store.get('/outage/a'))?.value, '1');
  const again = store.watch('/outage/', start, signal)[Symbol.asyncIterator]();
  assert.equal((await again.next()).done, false);
  await again.return?.();
});

test('etcd frozen: requests end in time, commits of unknown outcome, watches too', async (t) => {
  const store = open({ requestTimeoutMs: 700, watchProbeMs: 300 });
  t.after(() => store.close());
  const start = await put(store, '/frozen/a', '1');
  const { signal } = new AbortController();
  const watch = store.watch('/frozen/', start, signal)[Symbol.asyncIterator]();
  await watch.next();
  const waiting = Promise.resolve(watch.next());
  waiting.catch(() => {});
  etcd.freeze();
  t.after(() => etcd.thaw());
  const took = await timed(() =>
    assert.rejects(put(store, '/frozen/a', '2'), isUnavailable('unknown')),
  );
  assert.ok(took < 10_000, `took ${took} ms`);
  await assert.rejects(store.get('/frozen/a'), isUnavailable('nothing-changed'));
  await assert.rejects(waiting, isUnavailable('nothing-changed'));
  etcd.thaw();
  await eventually(20_000, () => put(store, '/frozen/b', '3'));
});

test('etcd watch: an idle stream that answers its probes stays', async (t) => {
  const store = open({ requestTimeoutMs: 300, watchProbeMs: 100 });
  t.after(() => store.close());
  const stop = new AbortController();
  const start = await put(store, '/busy', '1');
  const watch = store.watch('/idle/', start, stop.signal)[Symbol.asyncIterator]();
  const next = watch.next();
  await systemClock.sleep(1_000);
  await put(store, '/idle/a', '1');
  const { value } = (await next) as { value: WatchBatch };
  assert.equal(value.events.length, 1);
  stop.abort();
});

test('etcd lease: kept alive beyond its time, lost when etcd is away longer', async (t) => {
  const store = open({ requestTimeoutMs: 500 });
  t.after(() => store.close());
  const stop = new AbortController();
  const lease = await store.lease(2, stop.signal);
  const operations = [{ kind: 'put', key: '/lease/a', value: 'x', lease } as const];
  await store.commit({ compare: [], operations });
  const seen = observe(lease);
  await systemClock.sleep(3_500);
  assert.equal(seen.lost, false);
  assert.equal((await store.get('/lease/a'))?.value, 'x');
  etcd.freeze();
  t.after(() => etcd.thaw());
  const took = await timed(() => lease.lost);
  assert.ok(took <= 3_000, `noticed after ${took} ms`);
  etcd.thaw();
  stop.abort();
});

test('etcd lease: survives a restart of etcd shorter than its time', async (t) => {
  const store = open();
  t.after(() => store.close());
  const stop = new AbortController();
  const lease = await store.lease(6, stop.signal);
  const seen = observe(lease);
  await etcd.halt();
  await systemClock.sleep(1_000);
  await etcd.run();
  await systemClock.sleep(6_000);
  assert.equal(seen.lost, false);
  await lease.revoke();
  assert.equal(seen.lost, true);
});

test('openEtcd() while etcd is away fails calls at once and works when it comes', async (t) => {
  await etcd.halt();
  const store = open();
  t.after(() => store.close());
  await assert.rejects(store.clusterId(), isUnavailable('nothing-changed'));
  await etcd.run();
  await eventually(20_000, () => store.clusterId());
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
