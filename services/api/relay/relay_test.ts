import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bus, type BusLogger, MemoryBroker, STREAMS } from '@calico/bus';
import { FakeClock } from '@calico/clock';
import { MemoryStore, type Operation, StoreUnavailable } from '@calico/store';
import * as fc from 'fast-check';
import { LEADER_KEY } from './leadership.ts';
import { type Relay, startRelay } from './relay.ts';

const ROOT = '/calico/resources/v3/projectcalico.org';
const LOGGER: BusLogger = { debug() {}, info() {}, warn() {}, error() {} };

function tierPath(name: string): string {
  return `${ROOT}/tiers/${name}`;
}

class Rig {
  readonly clock = new FakeClock(1_000_000);
  readonly broker = new MemoryBroker(this.clock);
  readonly reader: Bus = this.broker.connect();
  readonly stop = new AbortController();
  store: MemoryStore;
  #marks = 0;

  constructor(store = new MemoryStore()) {
    this.store = store;
  }

  start(signal: AbortSignal = this.stop.signal, bus = this.broker.connect()): Relay {
    return startRelay({
      store: this.store,
      bus,
      logger: LOGGER,
      clock: this.clock,
      signal,
      random: () => 0.5,
      newMark: () => `mark${++this.#marks}`,
    });
  }

  async settle(advanceMs = 0, stepMs = 500): Promise<void> {
    await turns();
    for (let left = advanceMs; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await turns();
    }
  }

  async commit(...operations: Operation[]): Promise<void> {
    const result = await this.store.commit({ compare: [], operations });
    assert.equal(result.kind, 'committed');
  }

  /** A document with the name that its key says. */
  put(key: string, fields: object = { spec: {} }): Promise<void> {
    const [name, namespace] = key.split('/').toReversed();
    const document = { metadata: { name, namespace }, ...fields };
    return this.commit({ kind: 'put', key, value: JSON.stringify(document) });
  }

  delete(key: string): Promise<void> {
    return this.commit({ kind: 'delete', key });
  }

  /** Takes whoever leads its place. */
  async dethrone(): Promise<void> {
    await this.delete(LEADER_KEY);
  }

  async streamed(): Promise<string[]> {
    const { subjects, marker } = await this.reader.readResources(this.stop.signal);
    const lines = [...subjects].map(([subject, { state }]) => {
      const short = subject.replace('calico.resource.', '');
      return state === undefined ? `garbage ${short}` : `${state.kind} ${short}@${state.revision}`;
    });
    return [...lines, `marker ${marker?.revision ?? 'none'}`];
  }

  async end(): Promise<void> {
    this.stop.abort();
    await this.broker.close();
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('startRelay() publishes what etcd holds, then what changes', async () => {
  const rig = new Rig();
  await rig.put(tierPath('a'));
  await rig.put(`${ROOT}/ippools/p`, { spec: { cidr: '10.0.0.0/16' } });
  await rig.put(`${ROOT}/ipamconfigurations/default`);
  await rig.put('/calico/ipam/v2/handle/h');
  const relay = rig.start();
  await rig.settle();
  assert.equal(relay.leading, true);
  const revision = rig.store.revision;
  assert.equal(relay.revision, revision);
  assert.deepEqual(await rig.streamed(), [
    'put tiers._.a@2',
    'put ippools._.p@3',
    `marker ${revision}`,
  ]);
  await rig.commit(
    { kind: 'put', key: tierPath('b'), value: '{"metadata":{"name":"b"},"spec":{}}' },
    { kind: 'delete', key: tierPath('a') },
  );
  await rig.settle();
  const next = revision + 1n;
  assert.deepEqual(await rig.streamed(), [
    'put ippools._.p@3',
    `put tiers._.b@${next}`,
    `removed tiers._.a@${next}`,
    `marker ${next}`,
  ]);
  await rig.end();
  await relay.done;
});

function endpoint(node: string): object {
  return { spec: { node, orchestrator: 'k8s', endpoint: 'eth0', pod: 'p', interfaceName: 'c1' } };
}

test('startRelay() publishes an endpoint under its node, also when that changes', async () => {
  const rig = new Rig();
  const path = `${ROOT}/workloadendpoints/default/w`;
  rig.start();
  await rig.settle();
  await rig.put(path, endpoint('n1'));
  await rig.settle();
  const first = rig.store.revision;
  await rig.put(path, endpoint('n2'));
  await rig.settle();
  const second = rig.store.revision;
  assert.deepEqual(await rig.streamed(), [
    `removed workloadendpoints.n1.default.w@${second}`,
    `put workloadendpoints.n2.default.w@${second}`,
    `marker ${second}`,
  ]);
  assert.ok(first < second);
  await rig.delete(path);
  await rig.settle();
  const third = rig.store.revision;
  assert.deepEqual(await rig.streamed(), [
    `removed workloadendpoints.n1.default.w@${second}`,
    `removed workloadendpoints.n2.default.w@${third}`,
    `marker ${third}`,
  ]);
  await rig.end();
});

test('startRelay() treats what it cannot read as not existing', async () => {
  const rig = new Rig();
  const relay = rig.start();
  await rig.put(tierPath('a'));
  await rig.settle();
  await rig.commit({ kind: 'put', key: tierPath('a'), value: '[1]' });
  await rig.settle();
  const revision = rig.store.revision;
  assert.deepEqual(await rig.streamed(), [`removed tiers._.a@${revision}`, `marker ${revision}`]);
  assert.ok(relay.counts.unreadable > 0);
  await rig.end();
});

test('startRelay() has one leader, and the next one publishes nothing twice', async () => {
  const rig = new Rig();
  await rig.put(tierPath('a'));
  const [first, second] = [rig.start(), rig.start()];
  await rig.settle();
  assert.deepEqual([first.leading, second.leading], [true, false]);
  const [, before] = [
    await rig.streamed(),
    (await sequences(rig)).get('calico.resource.tiers._.a'),
  ];
  await rig.dethrone();
  await rig.put(tierPath('b'));
  await rig.settle(10_000);
  assert.equal((await sequences(rig)).get('calico.resource.tiers._.a'), before);
  assert.equal(first.counts.published + second.counts.published, 2);
  await rig.end();
});

async function sequences(rig: Rig): Promise<ReadonlyMap<string, number>> {
  const { subjects } = await rig.reader.readResources(rig.stop.signal);
  return new Map([...subjects].map(([subject, { sequence }]) => [subject, sequence]));
}

test('startRelay() gives its place up at once when it is stopped', async () => {
  const rig = new Rig();
  const stopFirst = new AbortController();
  const [first, second] = [rig.start(stopFirst.signal), rig.start()];
  await rig.settle();
  stopFirst.abort();
  await first.done;
  await rig.settle();
  assert.deepEqual([first.leading, second.leading], [false, true]);
  await rig.end();
});

test('startRelay() leads in the end when the answer to taking the place was lost', async () => {
  const store = new MemoryStore();
  const commit = store.commit.bind(store);
  let isLost = false;
  store.commit = async (transaction, options) => {
    const result = await commit(transaction, options);
    if (isLost || transaction.operations[0]?.key !== LEADER_KEY) return result;
    isLost = true;
    throw new StoreUnavailable('unknown', 'Cannot commit: no answer');
  };
  const rig = new Rig(store);
  const relay = rig.start();
  await rig.settle(10_000);
  assert.equal(isLost, true);
  assert.equal(relay.leading, true);
  await rig.end();
});

test('startRelay() fills the stream again after NATS lost its data', async () => {
  const rig = new Rig();
  await rig.put(tierPath('a'));
  rig.start();
  await rig.settle();
  rig.broker.stop();
  await rig.put(tierPath('b'));
  await rig.settle(5_000);
  rig.broker.start({ keepData: false });
  await rig.settle(10_000);
  const [a, b, marker] = await rig.streamed();
  assert.deepEqual([a, b?.split('@')[0]], ['put tiers._.a@2', 'put tiers._.b']);
  assert.equal(marker, `marker ${rig.store.revision}`);
  await rig.end();
});

test('startRelay() notices that NATS lost its data between the messages and the first marker', async () => {
  const rig = new Rig();
  await rig.put(tierPath('a'));
  const bus = rig.broker.connect();
  const publishResource = bus.publishResource.bind(bus);
  let isLost = false;
  bus.publishResource = async (...message) => {
    const ack = await publishResource(...message);
    if (!isLost) rig.broker.start({ keepData: false });
    isLost = true;
    return ack;
  };
  rig.start(rig.stop.signal, bus);
  await rig.settle(10_000);
  assert.equal(isLost, true);
  assert.deepEqual(await rig.streamed(), ['put tiers._.a@2', `marker ${rig.store.revision}`]);
  await rig.end();
});

test('startRelay() removes from the stream what went while nobody relayed', async () => {
  const rig = new Rig();
  await rig.put(tierPath('a'));
  await rig.put(tierPath('b'));
  const stopFirst = new AbortController();
  const first = rig.start(stopFirst.signal);
  await rig.settle();
  stopFirst.abort();
  await first.done;
  await rig.delete(tierPath('a'));
  rig.start();
  await rig.settle();
  const lines = await rig.streamed();
  assert.deepEqual(lines[0], 'put tiers._.b@3');
  assert.match(lines[1] ?? '', /^removed tiers\._\.a@/);
  await rig.end();
});

test('startRelay() replaces and purges garbage when it comes upon it', async () => {
  const rig = new Rig();
  await rig.put(tierPath('a'));
  rig.start();
  await rig.settle();
  const raw = rig.broker.streams();
  const data = Uint8Array.of(9, 9);
  for (const subject of ['calico.resource.tiers._.a', 'calico.resource.x', 'calico.relay.synced']) {
    await raw.publish(STREAMS.resources, { subject, data });
  }
  await rig.settle(20_000);
  assert.deepEqual(await rig.streamed(), ['put tiers._.a@2', `marker ${rig.store.revision}`]);
  await rig.end();
});

test('startRelay() publishes everything again for another etcd, or one gone back in time', async () => {
  const rig = new Rig();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']) await rig.put(tierPath(name));
  const stopFirst = new AbortController();
  const first = rig.start(stopFirst.signal);
  await rig.settle();
  const before = await rig.reader.readResources(rig.stop.signal);
  stopFirst.abort();
  await first.done;
  // Same cluster id and same mark, but fewer revisions.
  rig.store = new MemoryStore();
  await rig.put('/calico-relay/identity');
  await rig.commit({ kind: 'put', key: '/calico-relay/identity', value: 'mark1' });
  await rig.put(tierPath('a'));
  rig.start();
  await rig.settle();
  const after = await rig.reader.readResources(rig.stop.signal);
  assert.notEqual(after.marker?.etcdClusterId, before.marker?.etcdClusterId);
  assert.equal(after.marker?.revision, rig.store.revision);
  const states = [...after.subjects.values()].map(({ state }) => state);
  assert.equal(states.filter((state) => state?.kind === 'removed').length, 8);
  assert.ok(states.every((state) => (state?.revision ?? 0n) <= rig.store.revision));
  await rig.end();
});

test('startRelay() goes on after compaction and after etcd was away', async () => {
  const rig = new Rig();
  const relay = rig.start();
  await rig.settle();
  rig.store.interrupt();
  await rig.settle();
  rig.store.resume();
  await rig.put(tierPath('a'));
  await rig.put(tierPath('b'));
  rig.store.compact(rig.store.revision);
  await rig.settle(5_000);
  const lines = await rig.streamed();
  assert.equal(lines.filter((line) => line.startsWith('put tiers')).length, 2);
  assert.ok(relay.counts.repairs > 1);
  await rig.end();
});

test('startRelay() forgets removals after a while', async () => {
  const rig = new Rig();
  await rig.put(tierPath('a'));
  rig.start();
  await rig.settle();
  await rig.delete(tierPath('a'));
  await rig.settle();
  assert.equal((await rig.streamed()).length, 2);
  await rig.settle(700_000, 5_000);
  assert.deepEqual(await rig.streamed(), [`marker ${rig.store.revision}`]);
  await rig.put(tierPath('a'));
  await rig.settle();
  assert.equal((await rig.streamed()).length, 2);
  await rig.end();
});

const STEP = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('put'), name: fc.constantFrom('a', 'b', 'c') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('delete'), name: fc.constantFrom('a', 'b', 'c') }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('settle', 'wait', 'dethrone', 'stop', 'start', 'wipe', 'etcd', 'compact'),
      name: fc.constantFrom('a', 'b', 'c'),
    }),
  },
);

async function take(rig: Rig, step: { readonly do: string; readonly name: string }): Promise<void> {
  switch (step.do) {
    case 'put':
      return rig.put(tierPath(step.name));
    case 'delete':
      return rig.delete(tierPath(step.name));
    case 'settle':
      return rig.settle();
    case 'wait':
      return rig.settle(2_000);
    case 'dethrone':
      return rig.dethrone();
    case 'stop':
      return rig.broker.stop();
    case 'start':
    case 'wipe':
      return rig.broker.start({ keepData: step.do === 'start' });
    case 'compact':
      return rig.store.compact(rig.store.revision);
    default:
      rig.store.interrupt();
      await turns();
      return rig.store.resume();
  }
}

test('startRelay() converges on etcd whatever happens on the way', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { maxLength: 25 }), async (steps) => {
      const rig = new Rig();
      const relays = [rig.start(), rig.start()];
      for (const step of steps) await take(rig, step);
      rig.broker.start({ keepData: true });
      await rig.settle(30_000, 1_000);
      const { subjects, marker } = await rig.reader.readResources(rig.stop.signal);
      const alive = [...subjects.values()].flatMap(({ state }) =>
        state?.kind === 'put' ? [`${state.key.name}@${state.revision}`] : [],
      );
      const { entries } = await rig.store.list(`${ROOT}/`);
      const expected = entries.map(
        ({ key, modRevision }) => `${key.replace(`${ROOT}/tiers/`, '')}@${modRevision}`,
      );
      assert.deepEqual(alive.toSorted(), expected.toSorted());
      assert.equal(relays.filter(({ leading }) => leading).length, 1);
      const newest = entries.reduce(
        (most, { modRevision }) => (most > modRevision ? most : modRevision),
        0n,
      );
      assert.ok((marker?.revision ?? 0n) >= newest);
      await rig.end();
    }),
    { numRuns: 60 },
  );
});
