import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { FakeClock, systemClock } from '@calico/clock';
import { type ResourceEvent, ResourceEventSchema } from '@calico/proto/events/v1/events';
import type { Bus, ResourceMessage } from './bus.ts';
import { BusUnavailable, SequenceConflict } from './errors.ts';
import { MemoryBroker } from './memory_broker.ts';
import type { NodeReport } from './node_report.ts';
import { STREAMS } from './ports.ts';

const ETCD = 'cafe';

function putPool(name: string, revision: bigint): ResourceEvent {
  const value = { kind: 'IPPool', namespace: '', name, revision, json: '{}' };
  return create(ResourceEventSchema, { event: { case: 'put', value } });
}

function removePool(name: string, revision: bigint): ResourceEvent {
  const value = { key: { kind: 'IPPool', namespace: '', name }, revision };
  return create(ResourceEventSchema, { event: { case: 'removed', value } });
}

function summary(message: ResourceMessage): string {
  switch (message.kind) {
    case 'snapshot-start':
      return `start ${message.marker?.revision ?? 'unmarked'}`;
    case 'put':
    case 'removed':
      return `${message.kind} ${message.key.name}@${message.revision}`;
    case 'in-sync':
      return `in-sync ${message.marker.revision}`;
    case 'lost':
      return 'lost';
    default:
      return message satisfies never;
  }
}

/** Reads on until `count` messages have come. */
class Reader<T, R> {
  readonly #iterator: AsyncIterator<T>;
  readonly #map: (value: T) => R;

  constructor(iterable: AsyncIterable<T>, map: (value: T) => R) {
    this.#iterator = iterable[Symbol.asyncIterator]();
    this.#map = map;
  }

  async take(count: number): Promise<R[]> {
    const taken: R[] = [];
    while (taken.length < count) {
      const { value, done } = await this.#iterator.next();
      if (done === true) break;
      taken.push(this.#map(value));
    }
    return taken;
  }
}

function resourcesOf(bus: Bus, signal: AbortSignal): Reader<ResourceMessage, string> {
  return new Reader(bus.resources(signal), summary);
}

test('resources() gives a snapshot, in-sync, then changes', async () => {
  const broker = new MemoryBroker(systemClock);
  const [relay, node] = [broker.connect(), broker.connect()];
  const stop = new AbortController();
  await relay.publishResource(putPool('a', 1n), 1n);
  await relay.publishResource(putPool('b', 2n), 2n);
  await relay.publishSynced({ revision: 2n, etcdClusterId: ETCD });
  const reader = resourcesOf(node, stop.signal);
  assert.deepEqual(await reader.take(4), ['start 2', 'put a@1', 'put b@2', 'in-sync 2']);
  await relay.publishResource(removePool('a', 3n), 3n);
  await relay.publishSynced({ revision: 3n, etcdClusterId: ETCD });
  assert.deepEqual(await reader.take(2), ['removed a@3', 'in-sync 3']);
  stop.abort();
  assert.deepEqual(await reader.take(1), []);
});

test('resources() never calls a stream without the marker complete', async () => {
  const broker = new MemoryBroker(systemClock);
  const [relay, node] = [broker.connect(), broker.connect()];
  const stop = new AbortController();
  const reader = resourcesOf(node, stop.signal);
  assert.deepEqual(await reader.take(1), ['start unmarked']);
  await relay.publishResource(putPool('a', 5n), 5n);
  assert.deepEqual(await reader.take(1), ['put a@5']);
  await relay.publishSynced({ revision: 5n, etcdClusterId: ETCD });
  assert.deepEqual(await reader.take(1), ['in-sync 5']);
  stop.abort();
});

test('resources() does not call a snapshot complete at a marker that lies within it', async () => {
  const broker = new MemoryBroker(systemClock);
  const [relay, node] = [broker.connect(), broker.connect()];
  const stop = new AbortController();
  await relay.publishSynced({ revision: 1n, etcdClusterId: ETCD });
  await relay.publishResource(putPool('a', 2n), 2n);
  const reader = resourcesOf(node, stop.signal);
  assert.deepEqual(await reader.take(3), ['start 1', 'put a@2', 'in-sync 1']);
  stop.abort();
});

test('resources() takes a new snapshot after every loss', async () => {
  for (const keepData of [true, false]) {
    const broker = new MemoryBroker(systemClock);
    const [relay, node] = [broker.connect(), broker.connect()];
    const stop = new AbortController();
    await relay.publishResource(putPool('a', 1n), 1n);
    await relay.publishSynced({ revision: 1n, etcdClusterId: ETCD });
    const reader = resourcesOf(node, stop.signal);
    assert.deepEqual(await reader.take(3), ['start 1', 'put a@1', 'in-sync 1']);
    broker.stop();
    assert.equal(node.connected, false);
    assert.deepEqual(await reader.take(1), ['lost']);
    await assert.rejects(relay.publishResource(putPool('b', 2n), 2n), BusUnavailable);
    broker.start({ keepData });
    assert.equal(node.connected, true);
    if (keepData) assert.deepEqual(await reader.take(3), ['start 1', 'put a@1', 'in-sync 1']);
    else assert.deepEqual(await reader.take(1), ['start unmarked']);
    stop.abort();
  }
});

test('resources() starts anew when the stream turns out to be of another etcd', async () => {
  const broker = new MemoryBroker(systemClock);
  const [relay, node] = [broker.connect(), broker.connect()];
  const stop = new AbortController();
  await relay.publishSynced({ revision: 9n, etcdClusterId: ETCD });
  const reader = resourcesOf(node, stop.signal);
  assert.deepEqual(await reader.take(2), ['start 9', 'in-sync 9']);
  await relay.publishSynced({ revision: 3n, etcdClusterId: 'f00d' });
  assert.deepEqual(await reader.take(3), ['lost', 'start 3', 'in-sync 3']);
  stop.abort();
});

test('resources() starts anew for another etcd also when it began without a marker', async () => {
  const broker = new MemoryBroker(systemClock);
  const [relay, node] = [broker.connect(), broker.connect()];
  const stop = new AbortController();
  const reader = resourcesOf(node, stop.signal);
  assert.deepEqual(await reader.take(1), ['start unmarked']);
  await relay.publishSynced({ revision: 9n, etcdClusterId: ETCD });
  assert.deepEqual(await reader.take(1), ['in-sync 9']);
  await relay.publishSynced({ revision: 3n, etcdClusterId: 'f00d' });
  assert.deepEqual(await reader.take(3), ['lost', 'start 3', 'in-sync 3']);
  // Both at once: the stream is lost, and what fills it is of another etcd again.
  broker.stop();
  broker.start({ keepData: false });
  assert.deepEqual(await reader.take(2), ['lost', 'start unmarked']);
  await relay.publishSynced({ revision: 2n, etcdClusterId: 'beef' });
  assert.deepEqual(await reader.take(3), ['lost', 'start 2', 'in-sync 2']);
  stop.abort();
});

test('resources() waits for NATS when it is absent at the start', async () => {
  const broker = new MemoryBroker(systemClock);
  broker.stop();
  const node = broker.connect();
  const stop = new AbortController();
  const first = resourcesOf(node, stop.signal).take(1);
  broker.start({ keepData: true });
  assert.deepEqual(await first, ['start unmarked']);
  stop.abort();
});

test('resources() and reports() count garbage and skip it', async () => {
  const broker = new MemoryBroker(systemClock);
  const [relay, node, raw] = [broker.connect(), broker.connect(), broker.streams()];
  const stop = new AbortController();
  const data = Uint8Array.of(255, 1, 2);
  for (const subject of [
    'calico.resource.ippools._.a',
    'calico.resource.nonsense',
    'calico.resource.workloadendpoints.default.w',
    'calico.relay.synced',
    'calico.relay.other',
  ]) {
    await raw.publish(STREAMS.resources, { subject, data });
  }
  for (const subject of ['calico.node.n1.peers', 'calico.node.n1.nonsense', 'calico.node.n1']) {
    await raw.publish(STREAMS.nodes, { subject, data });
  }
  await relay.publishResource(putPool('b', 1n), 1n);
  await relay.publishSynced({ revision: 1n, etcdClusterId: ETCD });
  const reader = resourcesOf(node, stop.signal);
  assert.deepEqual(await reader.take(3), ['start 1', 'put b@1', 'in-sync 1']);
  assert.equal(node.garbage, 4);
  relay.report('n1', 'health', { component: 'bgp', ready: true });
  const reports = new Reader(node.reports(stop.signal), ({ topic }) => topic);
  assert.deepEqual(await reports.take(1), ['health']);
  assert.equal(node.garbage, 7);
  stop.abort();
  await broker.close();
});

test('publishResource() stores one revision once', async () => {
  const broker = new MemoryBroker(systemClock);
  const relay = broker.connect();
  const first = await relay.publishResource(putPool('a', 4n), 4n, { etcdClusterId: ETCD });
  const second = await relay.publishResource(putPool('a', 4n), 4n, { etcdClusterId: ETCD });
  assert.deepEqual(second, { sequence: first.sequence, duplicate: true });
});

test('publishResource() stores a revision again when garbage has come over it', async () => {
  const broker = new MemoryBroker(systemClock);
  const [relay, raw] = [broker.connect(), broker.streams()];
  await relay.publishResource(putPool('a', 4n), 4n, { expectedSequence: 0 });
  const subject = 'calico.resource.ippools._.a';
  const { sequence } = await raw.publish(STREAMS.resources, { subject, data: new Uint8Array(3) });
  const again = await relay.publishResource(putPool('a', 4n), 4n, { expectedSequence: sequence });
  assert.deepEqual(again, { sequence: sequence + 1, duplicate: false });
});

test('publishResource() refuses to come over a message it does not know', async () => {
  const broker = new MemoryBroker(systemClock);
  const [leader, former] = [broker.connect(), broker.connect()];
  await leader.publishResource(putPool('a', 5n), 5n, { expectedSequence: 0 });
  await assert.rejects(
    former.publishResource(putPool('a', 4n), 4n, { expectedSequence: 0 }),
    SequenceConflict,
  );
});

test('readResources() gives what the stream holds', async () => {
  const broker = new MemoryBroker(systemClock);
  const relay = broker.connect();
  const { signal } = new AbortController();
  const empty = await relay.readResources(signal);
  assert.deepEqual(empty, { marker: undefined, markerSequence: 0, subjects: new Map() });
  await relay.publishResource(putPool('a', 4n), 4n);
  await relay.publishResource(removePool('b', 5n), 5n);
  await relay.publishSynced({ revision: 5n, etcdClusterId: ETCD });
  const contents = await relay.readResources(signal);
  assert.deepEqual(contents.marker, { revision: 5n, etcdClusterId: ETCD });
  assert.equal(contents.markerSequence, 3);
  const states = [...contents.subjects.values()].map(({ state }) => state?.kind);
  assert.deepEqual(states, ['put', 'removed']);
  await relay.purgeResource('calico.resource.ippools._.b', 2);
  assert.equal((await relay.readResources(signal)).subjects.size, 1);
});

function nextReport(reports: AsyncIterator<NodeReport>): Promise<IteratorResult<NodeReport>> {
  return reports.next();
}

test('report() sends the last value when NATS comes, and again when it comes back', async () => {
  const broker = new MemoryBroker(systemClock);
  broker.stop();
  const [node, status] = [broker.connect(), broker.connect()];
  const stop = new AbortController();
  node.report('n1', 'applied', { component: 'felix', revision: 1n });
  node.report('n1', 'applied', { component: 'felix', revision: 2n });
  const reports = status.reports(stop.signal)[Symbol.asyncIterator]();
  const revisionOf = async (): Promise<bigint> => {
    const { value } = await nextReport(reports);
    const report = value as NodeReport;
    assert.equal(report.topic, 'applied');
    return report.message.revision;
  };
  const first = revisionOf();
  broker.start({ keepData: true });
  assert.equal(await first, 2n);
  broker.stop();
  const again = revisionOf();
  broker.start({ keepData: false });
  assert.equal(await again, 2n);
  stop.abort();
  await broker.close();
});

test('report() repeats itself as a heartbeat', async () => {
  const clock = new FakeClock();
  const broker = new MemoryBroker(clock);
  const [node, raw] = [broker.connect(), broker.streams()];
  const subject = 'calico.node.n1.health.bgp';
  const sequence = async () => (await raw.last(STREAMS.nodes, subject))?.sequence;
  node.report('n1', 'health', { component: 'bgp', ready: true });
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assert.equal(await sequence(), 1);
  clock.advance(10_000);
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assert.equal(await sequence(), 2);
  await node.close();
  clock.advance(60_000);
  assert.equal(clock.pending, 0);
});
