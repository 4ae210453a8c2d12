// What etcd and NATS may do to a relay, and it to them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STREAMS } from '@calico/bus';
import { MemoryStore } from '@calico/store';
import * as fc from 'fast-check';
import { Rig, ROOT, tierPath, turns } from './relay_rig.ts';

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
