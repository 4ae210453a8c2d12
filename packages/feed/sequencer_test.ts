import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyText, parseStored, type Tier } from '@calico/model';
import * as fc from 'fast-check';
import { Sequencer } from './sequencer.ts';
import type { SourceEvent } from './source_event.ts';
import { eventText } from './testing/event_text.ts';
import { ResourceView } from './view.ts';

const ETCD = 'cafe';

function tier(name: string, revision: bigint): Tier {
  const metadata = { name, resourceVersion: String(revision) };
  return parseStored('Tier', JSON.stringify({ metadata, spec: {} }));
}

function put(name: string, revision: bigint): SourceEvent {
  return { kind: 'put', resource: tier(name, revision), revision };
}

function removed(name: string, revision: bigint): SourceEvent {
  return { kind: 'removed', key: { kind: 'Tier', namespace: '', name }, revision };
}

function start(position: bigint, etcdClusterId: string | undefined = ETCD): SourceEvent {
  return { kind: 'snapshot-start', position, etcdClusterId };
}

function inSync(revision: bigint, etcdClusterId: string | undefined = ETCD): SourceEvent {
  return { kind: 'in-sync', revision, etcdClusterId };
}

const LOST: SourceEvent = { kind: 'lost', reason: 'test' };

function say(
  sequencer: Sequencer,
  source: 'nats' | 'api',
  ...events: readonly SourceEvent[]
): string[] {
  return events.flatMap((event) => sequencer.accept(source, event)).map(eventText);
}

test('accept() passes a first snapshot and changes on', () => {
  const sequencer = new Sequencer();
  assert.deepEqual(say(sequencer, 'nats', start(2n), put('a', 1n), put('b', 2n), inSync(2n)), [
    'start nats',
    'put a@1',
    'put b@2',
    'in-sync 2',
  ]);
  assert.deepEqual(say(sequencer, 'nats', removed('a', 3n), inSync(3n), inSync(3n)), [
    'removed a@3',
    'in-sync 3',
  ]);
});

test('accept() tells of a later snapshot only what it changed', () => {
  const sequencer = new Sequencer();
  say(sequencer, 'nats', start(2n), put('a', 1n), put('b', 2n), inSync(2n), LOST);
  assert.deepEqual(say(sequencer, 'nats', start(5n), put('b', 2n), put('c', 5n), inSync(5n)), [
    'put c@5',
    'removed a@5',
    'in-sync 5',
  ]);
});

test('accept() lets no snapshot that was broken off remove anything', () => {
  const sequencer = new Sequencer();
  say(sequencer, 'nats', start(2n), put('a', 1n), put('b', 2n), inSync(2n));
  assert.deepEqual(say(sequencer, 'nats', start(5n), put('b', 2n), LOST), ['lost nats']);
  assert.deepEqual(say(sequencer, 'nats', start(5n), put('a', 1n), put('b', 2n), inSync(5n)), [
    'in-sync 5',
  ]);
});

test('accept() lets a source that lags neither bring back nor take away', () => {
  const sequencer = new Sequencer();
  say(sequencer, 'nats', start(3n), put('a', 1n), put('b', 2n), put('c', 3n), inSync(3n), LOST);
  // Meanwhile: a changed at 5, b removed at 6, d made at 7.
  const api = [put('a', 5n), put('c', 3n), put('d', 7n)];
  assert.deepEqual(say(sequencer, 'api', start(7n), ...api, inSync(7n)), [
    'put a@5',
    'put d@7',
    'removed b@7',
    'in-sync 7',
  ]);
  const lagging = [start(3n), put('a', 1n), put('b', 2n), put('c', 3n), inSync(3n)];
  assert.deepEqual(say(sequencer, 'nats', ...lagging), ['in-sync 7']);
  const catchingUp = [put('a', 5n), removed('b', 6n), put('d', 7n), inSync(7n), inSync(8n)];
  assert.deepEqual(say(sequencer, 'nats', ...catchingUp), ['in-sync 8']);
});

test('accept() removes later what a lagging source never brings', () => {
  const sequencer = new Sequencer();
  say(sequencer, 'api', start(7n), put('d', 7n), inSync(7n), LOST);
  assert.deepEqual(say(sequencer, 'nats', start(3n), inSync(3n)), ['in-sync 7']);
  // d was made and removed before the relay published either.
  assert.deepEqual(say(sequencer, 'nats', inSync(9n)), ['removed d@9', 'in-sync 9']);
});

test('accept() keeps what another source renewed meanwhile', () => {
  const sequencer = new Sequencer();
  say(sequencer, 'api', start(7n), put('d', 7n), inSync(7n));
  say(sequencer, 'nats', start(3n), inSync(3n));
  say(sequencer, 'api', put('d', 10n));
  assert.deepEqual(say(sequencer, 'nats', inSync(8n)), ['in-sync 8']);
  assert.deepEqual(say(sequencer, 'nats', put('d', 10n), inSync(10n)), ['in-sync 10']);
});

test('accept() remembers a removal that a slower source has not seen', () => {
  const sequencer = new Sequencer();
  say(sequencer, 'api', start(5n), put('a', 5n), inSync(5n), removed('a', 6n));
  assert.deepEqual(say(sequencer, 'nats', start(5n), put('a', 5n), inSync(5n)), ['in-sync 5']);
  assert.deepEqual(say(sequencer, 'nats', put('a', 8n)), ['put a@8']);
});

test('accept() keeps a resource that moved from one subject to another', () => {
  for (const moves of [
    [removed('a', 4n), put('a', 4n)],
    [put('a', 4n), removed('a', 4n)],
  ]) {
    const sequencer = new Sequencer();
    say(sequencer, 'nats', start(1n), put('a', 1n), inSync(1n));
    const last = say(sequencer, 'nats', ...moves).at(-1);
    assert.equal(last, 'put a@4');
  }
});

test('accept() takes another etcd at its word although its revisions are lower', () => {
  const sequencer = new Sequencer();
  say(sequencer, 'nats', start(90n), put('a', 80n), put('b', 90n), inSync(90n), LOST);
  assert.deepEqual(say(sequencer, 'nats', start(4n, 'f00d'), put('a', 3n), inSync(4n, 'f00d')), [
    'put a@3',
    'removed b@4',
    'in-sync 4',
  ]);
  assert.deepEqual(say(sequencer, 'api', start(2n), put('a', 1n), inSync(2n)), [
    'put a@1',
    'in-sync 2',
  ]);
});

// A truth that changes, and two sources that show it late, in pieces and with losses: whatever
// happens, revisions of one key only grow, and once a source has caught up the view is the truth.
type Change = { readonly do: 'write' | 'erase'; readonly name: string };
type Turn = { readonly do: 'advance' | 'lose' | 'snapshot'; readonly source: 'nats' | 'api' };
type Step = Change | Turn;

const NAMES = fc.constantFrom('a', 'b', 'c', 'd');
const SOURCES = fc.constantFrom('nats' as const, 'api' as const);
const STEPS: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom('write' as const, 'erase' as const), name: NAMES }),
    fc.record({ do: fc.constant('advance' as const), source: SOURCES }),
    fc.record({ do: fc.constantFrom('snapshot' as const, 'lose' as const), source: SOURCES }),
  ),
  { maxLength: 60 },
);

function byName(a: Tier, b: Tier): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

class World {
  readonly history: SourceEvent[] = [];
  readonly sequencer = new Sequencer();
  readonly view = new ResourceView();
  readonly revisions = new Map<string, bigint>();
  /** How much of the history each source shows; NATS lags, the api lists the newest. */
  readonly shown = { nats: 0, api: 0 };
  readonly live = { nats: false, api: false };

  get revision(): bigint {
    return BigInt(this.history.length);
  }

  change(event: 'write' | 'erase', name: string): void {
    const revision = this.revision + 1n;
    this.history.push(event === 'write' ? put(name, revision) : removed(name, revision));
  }

  /** State of the truth after the first `count` changes. */
  state(count: number): Map<string, SourceEvent> {
    const state = new Map<string, SourceEvent>();
    for (const event of this.history.slice(0, count)) {
      if (event.kind === 'put') state.set(event.resource.metadata.name, event);
      if (event.kind === 'removed') state.delete(event.key.name);
    }
    return state;
  }

  snapshot(source: 'nats' | 'api'): void {
    if (source === 'api') this.shown.api = this.history.length;
    const position = BigInt(this.shown[source]);
    if (position === 0n) return;
    this.say(source, start(position, source === 'nats' ? ETCD : undefined));
    for (const event of this.state(this.shown[source]).values()) this.say(source, event);
    this.say(source, inSync(position));
    this.live[source] = true;
  }

  advance(source: 'nats' | 'api'): void {
    const event = this.history[this.shown[source]];
    if (event === undefined) return;
    this.shown[source]++;
    if (!this.live[source]) return;
    this.say(source, event);
    this.say(source, inSync(BigInt(this.shown[source])));
  }

  lose(source: 'nats' | 'api'): void {
    this.live[source] = false;
    this.say(source, LOST);
  }

  say(source: 'nats' | 'api', event: SourceEvent): void {
    for (const told of this.sequencer.accept(source, event)) {
      this.view.apply(told);
      if (told.kind !== 'put' && told.kind !== 'removed') continue;
      const key = told.kind === 'put' ? `Tier//${told.resource.metadata.name}` : keyText(told.key);
      const before = this.revisions.get(key) ?? 0n;
      assert.ok(told.revision >= before, `${key}: ${told.revision} after ${before}`);
      this.revisions.set(key, told.revision);
    }
  }

  check(count: number): void {
    const expected = [...this.state(count).values()].map((event) =>
      event.kind === 'put' ? event.resource : undefined,
    );
    assert.deepEqual(
      [...this.view.list('Tier')].toSorted(byName),
      (expected as Tier[]).toSorted(byName),
    );
  }
}

test('accept() converges on the truth whatever the sources do', () => {
  fc.assert(
    fc.property(STEPS, SOURCES, (steps, last) => {
      const world = new World();
      for (const step of steps) {
        if ('name' in step) world.change(step.do, step.name);
        else world[step.do](step.source);
      }
      world.change('write', 'z');
      while (world.shown[last] < world.history.length) world.advance(last);
      if (!world.live[last]) world.snapshot(last);
      world.check(world.history.length);
      assert.equal(world.view.revision, world.revision);
      assert.ok(world.view.inSync);
    }),
    { numRuns: 3_000 },
  );
});

test('accept() never shows an older state than one it has shown complete', () => {
  fc.assert(
    fc.property(STEPS, (steps) => {
      const world = new World();
      for (const step of steps) {
        if ('name' in step) world.change(step.do, step.name);
        else world[step.do](step.source);
        // Right after an in-sync of the fresher source the view is exactly the truth there.
        const freshest = Math.max(
          world.live.nats ? world.shown.nats : 0,
          world.live.api ? world.shown.api : 0,
        );
        if (BigInt(freshest) === world.view.revision) world.check(freshest);
      }
    }),
    { numRuns: 3_000 },
  );
});
