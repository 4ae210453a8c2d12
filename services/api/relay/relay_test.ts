import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore, StoreUnavailable } from '@calico/store';
import { LEADER_KEY } from './leadership.ts';
import { Rig, ROOT, tierPath } from './relay_rig.ts';

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
