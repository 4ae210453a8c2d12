// What every Store must do, as one suite: run on MemoryStore beside the code, on real etcd in
// integration/store.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { CompactedError, type Store, StoreUnavailable, type WatchBatch } from './store.ts';

export type StoreUnderTest = {
  readonly store: Store;
  /** Keys of this test start with it. */
  readonly prefix: string;
  /** Forgets history up to this revision. */
  readonly compact: (revision: bigint) => Promise<void>;
};

export type OpenStore = (t: TestContext) => Promise<StoreUnderTest>;

export function testStoreConformance(name: string, open: OpenStore): void {
  const it = (criterion: string, run: (under: StoreUnderTest) => Promise<void>): void => {
    test(`${name} ${criterion}`, async (t) => run(await open(t)));
  };
  testReading(it);
  testCommit(it);
  testWatch(it);
  testLease(it);
}

type It = (criterion: string, run: (under: StoreUnderTest) => Promise<void>) => void;

async function put(store: Store, key: string, value: string): Promise<bigint> {
  const operations = [{ kind: 'put', key, value } as const];
  const result = await store.commit({ compare: [], operations });
  assert.equal(result.kind, 'committed');
  return result.kind === 'committed' ? result.revision : 0n;
}

async function remove(store: Store, key: string): Promise<bigint> {
  const result = await store.commit({ compare: [], operations: [{ kind: 'delete', key }] });
  return result.kind === 'committed' ? result.revision : 0n;
}

/** The next `count` batches that hold events. */
async function take(watch: AsyncIterator<WatchBatch>, count: number): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  while (batches.length < count) {
    const { value, done } = await watch.next();
    assert.ok(!done, 'the watch ended');
    if (value.events.length > 0) batches.push(value);
  }
  return batches;
}

const values = (entries: readonly { value: string }[]): string[] =>
  entries.map(({ value }) => value);

function testReading(it: It): void {
  it('get() answers the entry with its revisions, or undefined', async ({ store, prefix }) => {
    assert.equal(await store.get(`${prefix}a`), undefined);
    const first = await put(store, `${prefix}a`, 'eins');
    const second = await put(store, `${prefix}a`, 'zwei ✓');
    assert.ok(second > first);
    assert.deepEqual(await store.get(`${prefix}a`), {
      key: `${prefix}a`,
      value: 'zwei ✓',
      modRevision: second,
      createRevision: first,
    });
    await remove(store, `${prefix}a`);
    assert.equal(await store.get(`${prefix}a`), undefined);
  });

  it('list() is sorted, pages, and reads the past', async ({ store, prefix }) => {
    for (const name of ['c', 'a', 'b', 'b/x', 'd']) await put(store, `${prefix}${name}`, name);
    const all = await store.list(prefix);
    assert.deepEqual(values(all.entries), ['a', 'b', 'b/x', 'c', 'd']);
    assert.equal(all.more, false);
    const first = await store.list(prefix, { limit: 2 });
    assert.deepEqual([values(first.entries), first.more], [['a', 'b'], true]);
    await remove(store, `${prefix}c`);
    const after = first.entries.at(-1)?.key ?? '';
    const rest = await store.list(prefix, { limit: 9, after, revision: first.revision });
    assert.deepEqual([values(rest.entries), rest.more], [['b/x', 'c', 'd'], false]);
    assert.equal(rest.revision, first.revision);
    assert.deepEqual(values((await store.list(`${prefix}b`)).entries), ['b', 'b/x']);
    assert.deepEqual((await store.list(`${prefix}nothing`)).entries, []);
  });

  it('list() of a compacted revision is a CompactedError', async ({ store, prefix, compact }) => {
    const old = await put(store, `${prefix}a`, '1');
    await put(store, `${prefix}a`, '2');
    await compact(await put(store, `${prefix}a`, '3'));
    await assert.rejects(store.list(prefix, { revision: old }), CompactedError);
  });

  it('an aborted signal is refused', async ({ store, prefix }) => {
    const signal = AbortSignal.abort(new Error('stop'));
    await assert.rejects(store.get(prefix, { signal }), /stop/);
    const operations = [{ kind: 'put', key: `${prefix}a`, value: '1' } as const];
    await assert.rejects(store.commit({ compare: [], operations }, { signal }), /stop/);
    assert.equal(await store.get(`${prefix}a`), undefined);
  });

  it('clusterId() is hexadecimal and stays', async ({ store }) => {
    const id = await store.clusterId();
    assert.match(id, /^[0-9a-f]+$/);
    assert.equal(await store.clusterId(), id);
  });
}

function testCommit(it: It): void {
  it('commit() applies everything at one revision or nothing', async ({ store, prefix }) => {
    const [a, b] = [`${prefix}a`, `${prefix}b`];
    const created = await store.commit({
      compare: [{ key: a, modRevision: 0n }],
      operations: [
        { kind: 'put', key: a, value: '1' },
        { kind: 'put', key: b, value: '1' },
      ],
    });
    assert.equal(created.kind, 'committed');
    const before = await store.get(a);
    assert.equal(before?.modRevision, (await store.get(b))?.modRevision);

    const conflict = await store.commit({
      compare: [
        { key: a, modRevision: before?.modRevision ?? 0n },
        { key: b, modRevision: 0n },
        { key: `${prefix}absent`, modRevision: 0n },
      ],
      operations: [{ kind: 'delete', key: a }],
    });
    assert.equal(conflict.kind, 'conflict');
    assert.ok(conflict.kind === 'conflict');
    assert.deepEqual([...conflict.current.keys()].toSorted(), [a, b]);
    assert.deepEqual(conflict.current.get(a), before);
    assert.deepEqual(await store.get(a), before);
  });

  it('commit() tells whether a prefix has changed since a revision', async ({ store, prefix }) => {
    const within = `${prefix}pools/`;
    const commit = async (since: bigint): Promise<string> => {
      const unchanged = [{ prefix: within, since }];
      return (await store.commit({ compare: [], unchanged, operations: [] })).kind;
    };
    const empty = (await store.list(within)).revision;
    assert.equal(await commit(empty), 'committed');
    await put(store, `${prefix}poolsides`, '1');
    assert.equal(await commit(empty), 'committed', 'another prefix');
    const created = await put(store, `${within}a`, '1');
    assert.equal(await commit(empty), 'conflict', 'created');
    assert.equal(await commit(created), 'committed');
    await put(store, `${within}b`, '1');
    await put(store, `${within}a`, '2');
    assert.equal(await commit(created), 'conflict', 'changed');
    const guarded = await store.commit({
      compare: [{ key: `${prefix}x`, modRevision: 0n }],
      unchanged: [{ prefix: within, since: created }],
      operations: [{ kind: 'put', key: `${prefix}x`, value: '1' }],
    });
    assert.equal(guarded.kind, 'conflict');
    assert.equal(await store.get(`${prefix}x`), undefined);
  });

  it('commit() refuses the same key twice and too many operations', async ({ store, prefix }) => {
    const one = { kind: 'put', key: `${prefix}a`, value: '1' } as const;
    await assert.rejects(store.commit({ compare: [], operations: [one, one] }), RangeError);
    const many = Array.from({ length: 129 }, (_, n) => ({ ...one, key: `${prefix}${n}` }));
    await assert.rejects(store.commit({ compare: [], operations: many }), RangeError);
    assert.deepEqual((await store.list(prefix)).entries, []);
    const most = await store.commit({ compare: [], operations: many.slice(1) });
    assert.equal(most.kind, 'committed');
  });

  it('commit() of two rivals lets one win', async ({ store, prefix }) => {
    const key = `${prefix}leader`;
    const results = await Promise.all(
      ['x', 'y', 'z'].map((value) =>
        store.commit({
          compare: [{ key, modRevision: 0n }],
          operations: [{ kind: 'put', key, value }],
        }),
      ),
    );
    assert.equal(results.filter(({ kind }) => kind === 'committed').length, 1);
  });
}

function testWatch(it: It): void {
  it('watch() replays from a revision, then follows; one batch per revision', async (under) => {
    const { store, prefix } = under;
    const stop = new AbortController();
    const start = await put(store, `${prefix}a`, '1');
    const watch = store.watch(prefix, start, stop.signal)[Symbol.asyncIterator]();
    const [first] = await take(watch, 1);
    assert.equal(first?.revision, start);
    const keys = ['b', 'c', 'd'].map((name) => `${prefix}${name}`);
    await put(store, `${prefix.slice(0, -1)}~other`, 'not below the prefix');
    const together = await store.commit({
      compare: [],
      operations: keys.map((key) => ({ kind: 'put', key, value: key })),
    });
    const removed = await remove(store, `${prefix}a`);
    const [batch, last] = await take(watch, 2);
    assert.equal(batch?.revision, together.kind === 'committed' && together.revision);
    assert.deepEqual(
      batch?.events.map((event) => event.kind === 'put' && event.entry.value),
      keys,
    );
    assert.deepEqual(last, {
      revision: removed,
      events: [{ kind: 'delete', key: `${prefix}a`, revision: removed }],
    });
    const end = watch.next();
    stop.abort();
    assert.equal((await end).done, true);
  });

  it('watch() of a compacted revision is a CompactedError', async ({ store, prefix, compact }) => {
    const old = await put(store, `${prefix}a`, '1');
    await put(store, `${prefix}a`, '2');
    const newest = await put(store, `${prefix}a`, '3');
    await compact(newest);
    const { signal } = new AbortController();
    const watch = store.watch(prefix, old, signal)[Symbol.asyncIterator]();
    await assert.rejects(Promise.resolve(watch.next()), (error: unknown) => {
      assert.ok(error instanceof CompactedError);
      assert.equal(error.compactRevision, newest);
      return true;
    });
  });

  it('watch() keeps order and loses nothing for a slow reader', async ({ store, prefix }) => {
    const stop = new AbortController();
    const start = (await put(store, `${prefix}n`, '-1')) + 1n;
    const watch = store.watch(prefix, start, stop.signal)[Symbol.asyncIterator]();
    const count = 600;
    for (let n = 0; n < count; n += 30) {
      await Promise.all(
        Array.from({ length: 30 }, (_, k) => put(store, `${prefix}${k}`, `${n + k}`)),
      );
    }
    const batches = await take(watch, count);
    const revisions = batches.map(({ revision }) => revision);
    assert.deepEqual(
      revisions,
      revisions.toSorted((a, b) => (a < b ? -1 : 1)),
    );
    assert.equal(new Set(revisions).size, count);
    stop.abort();
  });

  it('watch() refuses a revision that cannot be', async ({ store, prefix }) => {
    const { signal } = new AbortController();
    for (const revision of [0n, -1n, 2n ** 63n]) {
      const read = async (): Promise<void> => {
        for await (const _ of store.watch(prefix, revision, signal)) return;
      };
      await assert.rejects(read(), RangeError);
    }
  });

  it('watch() of an aborted signal ends at once', async ({ store, prefix }) => {
    const watch = store.watch(prefix, 1n, AbortSignal.abort())[Symbol.asyncIterator]();
    assert.equal((await watch.next()).done, true);
  });
}

function testLease(it: It): void {
  it('revoke() of a lease deletes its keys and resolves lost', async ({ store, prefix }) => {
    const stop = new AbortController();
    const lease = await store.lease(60, stop.signal);
    const key = `${prefix}held`;
    const operations = [{ kind: 'put', key, value: 'me', lease } as const];
    const held = await store.commit({ compare: [{ key, modRevision: 0n }], operations });
    assert.ok(held.kind === 'committed');
    const watch = store.watch(prefix, held.revision + 1n, stop.signal)[Symbol.asyncIterator]();
    await lease.revoke();
    await lease.lost;
    const [batch] = await take(watch, 1);
    assert.deepEqual(
      batch?.events.map(({ kind }) => kind),
      ['delete'],
    );
    assert.equal(await store.get(key), undefined);
    await assert.rejects(store.commit({ compare: [], operations }), (error: unknown) => {
      assert.ok(error instanceof StoreUnavailable);
      assert.equal(error.outcome, 'nothing-changed');
      return true;
    });
    await lease.revoke();
    stop.abort();
  });

  it('the signal of a lease ends it', async ({ store, prefix }) => {
    const stop = new AbortController();
    const lease = await store.lease(60, stop.signal);
    const key = `${prefix}held`;
    await store.commit({ compare: [], operations: [{ kind: 'put', key, value: 'me', lease }] });
    stop.abort();
    await lease.lost;
  });
}
