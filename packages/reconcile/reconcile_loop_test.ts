import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '@calico/clock';
import { Backoff } from './backoff.ts';
import { MapTarget } from './map_target.ts';
import { ReconcileLoop, type Result } from './reconcile_loop.ts';

class Bench {
  readonly clock = new FakeClock();
  readonly results: Result<string, string>[] = [];
  readonly target: MapTarget;
  readonly loop: ReconcileLoop<string, string>;
  wish = { entries: new Map<string, string>(), revision: 1n, inSync: true };

  constructor(t: TestContext, actual: Record<string, string> = {}) {
    this.target = new MapTarget(actual);
    this.loop = new ReconcileLoop({
      target: this.target,
      desired: () => this.wish,
      same: (a, b) => a === b,
      onResult: (result) => this.results.push(result),
      clock: this.clock,
      random: () => 0,
      resyncMs: 1_000,
      retryMinMs: 10,
      retryMaxMs: 40,
    });
    const stop = new AbortController();
    this.start = () => {
      const running = this.loop.run(stop.signal);
      t.after(async () => {
        stop.abort();
        await running;
      });
    };
  }

  readonly start: () => void;

  want(entries: Record<string, string>, revision: bigint, inSync = true): void {
    this.wish = { entries: new Map(Object.entries(entries)), revision, inSync };
    this.loop.changed();
  }

  /** Lets everything that needs no time happen, after moving time on. */
  async pass(ms = 0): Promise<void> {
    this.clock.advance(ms);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }

  get kinds(): string[] {
    return this.results.map(({ kind }) => kind);
  }
}

test('ReconcileLoop starts with a pass, then makes one per change and reports the revision', async (t) => {
  const bench = new Bench(t, { a: '1' });
  bench.want({ a: '1', b: '1' }, 5n);
  bench.start();
  await bench.pass();
  assert.deepEqual(bench.results, [
    {
      kind: 'reconciled',
      revision: 5n,
      inSync: true,
      changes: [{ kind: 'put', key: 'b', value: '1' }],
    },
  ]);
  bench.want({ b: '2' }, 6n);
  bench.want({ b: '3' }, 7n);
  await bench.pass();
  assert.equal(bench.results.length, 2);
  assert.deepEqual([...bench.target.entries], [['b', '3']]);
});

test('ReconcileLoop removes nothing until the wish is in sync', async (t) => {
  const bench = new Bench(t, { old: '1' });
  bench.want({ a: '1' }, 1n, false);
  bench.start();
  await bench.pass();
  assert.deepEqual([...bench.target.entries.keys()].toSorted(), ['a', 'old']);
  bench.want({ a: '1' }, 2n, true);
  await bench.pass();
  assert.deepEqual([...bench.target.entries.keys()], ['a']);
});

test('ReconcileLoop restores what somebody else removed, at the latest after resyncMs', async (t) => {
  const bench = new Bench(t);
  bench.want({ a: '1' }, 1n);
  bench.start();
  await bench.pass();
  bench.target.entries.clear();
  await bench.pass(999);
  assert.equal(bench.target.entries.size, 0);
  await bench.pass(1);
  assert.equal(bench.target.entries.get('a'), '1');
});

test('ReconcileLoop backs off while changes fail, and a change is tried at once', async (t) => {
  const bench = new Bench(t);
  bench.target.refused.add('a');
  bench.want({ a: '1', b: '1' }, 1n);
  bench.start();
  await bench.pass();
  assert.equal(bench.target.entries.get('b'), '1', 'the others are made');
  for (const delay of [10, 20, 40, 40]) {
    const before = bench.results.length;
    const last = bench.results.at(-1);
    assert.ok(last?.kind === 'failed' && last.retryInMs === delay);
    await bench.pass(delay - 1);
    assert.equal(bench.results.length, before);
    await bench.pass(1);
    assert.equal(bench.results.length, before + 1);
  }
  bench.target.refused.clear();
  bench.want({ a: '2' }, 2n);
  await bench.pass();
  assert.equal(bench.kinds.at(-1), 'reconciled');
  assert.deepEqual([...bench.target.entries], [['a', '2']]);
});

test('ReconcileLoop changes nothing while it cannot read the actual state', async (t) => {
  const bench = new Bench(t, { old: '1' });
  bench.target.unreadable = true;
  bench.want({}, 1n);
  bench.start();
  await bench.pass();
  assert.deepEqual(bench.kinds, ['unreadable']);
  bench.target.unreadable = false;
  await bench.pass(10);
  assert.deepEqual(bench.kinds, ['unreadable', 'reconciled']);
  assert.equal(bench.target.entries.size, 0);
});

test('ReconcileLoop ends with its signal and leaves no timer', async () => {
  const clock = new FakeClock();
  const stop = new AbortController();
  const loop = new ReconcileLoop<string, string>({
    target: new MapTarget(),
    desired: () => ({ entries: new Map(), revision: 1n, inSync: true }),
    same: (a, b) => a === b,
    onResult: () => {},
    clock,
    random: () => 0,
  });
  const running = loop.run(stop.signal);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  assert.equal(clock.pending, 1);
  stop.abort();
  await running;
  assert.equal(clock.pending, 0);
});

test('Backoff jitter takes away at most half', () => {
  const backoff = new Backoff({ minMs: 100, maxMs: 1_000, random: () => 0.5 });
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [75, 150, 300]);
  backoff.reset();
  assert.equal(backoff.next(), 75);
});
