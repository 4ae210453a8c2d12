// NATS absent, stopped, killed, halted, emptied: what is known stays, what changes arrives.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Bus, NodeReport } from '@calico/bus';
import { systemClock } from '@calico/clock';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { connectRpc, serveRpc } from '@calico/rpc';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { NatsStreams } from '../../packages/bus/nats_streams.ts';
import { STREAMS } from '../../packages/bus/ports.ts';
import { createHandlers } from '../../services/api/adapters/grpc_handlers.ts';
import { ResourceReader } from '../../services/api/adapters/resource_reader.ts';
import { ResourceWriter } from '../../services/api/adapters/resource_writer.ts';
import { Rig, type RunningFeed, tiersIn, until } from './rig.ts';
import { SKIP } from './servers.ts';

const RESOURCES = 30;
/** Of a busy machine with a slow disk. */
const ADMIN_MS = 60_000;
const LOGGER = { debug() {}, info() {}, warn() {}, error() {}, child: () => LOGGER };

async function filled(context: TestContext): Promise<Rig> {
  const rig = await Rig.start(context);
  for (let index = 0; index < RESOURCES; index++) await rig.putTier(`t${index}`);
  return rig;
}

async function isTruth(rig: Rig, feed: RunningFeed): Promise<boolean> {
  return tiersIn(feed).join() === (await rig.tiers()).toSorted().join();
}

/** Everything that is reported from now on, as it comes. */
function reportsTo(status: Bus, context: TestContext): readonly NodeReport[] {
  const seen: NodeReport[] = [];
  const stop = new AbortController();
  context.after(() => stop.abort());
  void (async () => {
    for await (const report of status.reports(stop.signal)) seen.push(report);
  })();
  return seen;
}

/** Names that the feed ever said to be removed. */
function removals(feed: RunningFeed): string[] {
  return feed.events.flatMap((event) => (event.kind === 'removed' ? [event.key.name] : []));
}

test('everything works when NATS comes last', { skip: SKIP }, async (context) => {
  const rig = await filled(context);
  await rig.nats.stop();
  rig.startRelay('one');
  const feed = rig.openFeed('node');
  const reporter = rig.connect('reporter');
  reporter.report('n1', 'health', { component: 'felix', ready: true });
  await systemClock.sleep(1_000);
  assert.equal(feed.view.inSync, false);
  await rig.nats.start();
  await until('in sync', () => feed.view.inSync);
  assert.equal(await isTruth(rig, feed), true);
  const seen = reportsTo(rig.connect('status'), context);
  await until('the report', () => seen.length > 0);
  assert.deepEqual([seen[0]?.topic, seen[0]?.node], ['health', 'n1']);
});

for (const how of ['stopped', 'killed'] as const) {
  for (const data of ['kept', 'lost'] as const) {
    test(`NATS ${how}, its data ${data}: nothing flaps, changes arrive`, {
      skip: SKIP,
    }, async (context) => {
      const rig = await filled(context);
      const { relay } = rig.startRelay('one');
      const feed = rig.openFeed('node');
      await until('in sync', () => feed.view.inSync);
      await rig.nats.stop(how === 'stopped' ? 'SIGTERM' : 'SIGKILL');
      if (data === 'lost') await rig.nats.dropData();
      await rig.putTier('t1', 7);
      await rig.deleteTier('t2');
      await rig.putTier('new');
      await systemClock.sleep(2_000);
      assert.equal(feed.view.list('Tier').length, RESOURCES);
      await rig.nats.start();
      await until('the changes', () => isTruth(rig, feed));
      assert.deepEqual(removals(feed), ['t2']);
      // And it goes on living.
      const revision = await rig.putTier('later');
      await until('a later change', () => feed.view.revision >= revision);
      await until('still leading', () => relay.leading);
      assert.deepEqual(removals(feed), ['t2']);
    });
  }
}

test('streams deleted under living connections come back', { skip: SKIP }, async (context) => {
  const rig = await filled(context);
  rig.startRelay('one');
  const feed = rig.openFeed('node');
  const status = rig.connect('status');
  const reporter = rig.connect('reporter');
  await until('in sync', () => feed.view.inSync);
  const seen = reportsTo(status, context);
  reporter.report('n1', 'peers', { peers: [] });
  await until('the report', () => seen.length > 0);
  const admin = await connect({ servers: rig.nats.url, timeout: ADMIN_MS });
  const manager = await jetstreamManager(admin, { timeout: ADMIN_MS });
  for (const stream of ['CALICO_RESOURCES', 'CALICO_NODES']) await manager.streams.delete(stream);
  await admin.close();
  await rig.putTier('t1', 9);
  await until('the change', () => isTruth(rig, feed));
  assert.deepEqual(removals(feed), []);
  reporter.report('n1', 'peers', { peers: [{ address: '10.0.0.1' }] });
  // The one before may be told again too.
  await until('the next report', () =>
    seen.some(
      ({ topic, message }) => topic === 'peers' && message.peers[0]?.address === '10.0.0.1',
    ),
  );
});

function birth() {
  return { uid: 'u', creationTimestamp: '2024-01-01T00:00:00Z' };
}

/** The api service's resources, without its process. */
async function serveApi(rig: Rig, context: TestContext) {
  const store = rig.openStore();
  const reader = new ResourceReader(store);
  const writer = new ResourceWriter({ store, reader, birth, now: () => Date.now() });
  const server = await serveRpc({
    services: [[ResourceService, createHandlers({ reader, writer, version: 'test' })]],
    listen: '127.0.0.1:0',
    insecure: false,
    logger: LOGGER,
  });
  const api = connectRpc(ResourceService, server.address);
  context.after(async () => {
    api.close();
    await server.stop(100);
  });
  return api;
}

test('a feed lives on the api while NATS is away, and goes back', {
  skip: SKIP,
}, async (context) => {
  const rig = await filled(context);
  const api = await serveApi(rig, context);
  rig.startRelay('one');
  const feed = rig.openFeed('node', api);
  await until('in sync', () => feed.view.inSync);
  for (let round = 0; round < 2; round++) {
    await rig.nats.stop();
    await rig.putTier('t1', round + 2);
    await rig.deleteTier(`t${10 + round}`);
    await until('the changes by the api', () => isTruth(rig, feed));
    const live = await rig.putTier(`live${round}`);
    await until('a live change by the api', () => feed.view.revision >= live);
    await rig.nats.start();
    // Written while both may be heard.
    for (let index = 0; index < 20; index++) {
      await rig.putTier('t3', index + 10 * round);
      await systemClock.sleep(50);
    }
    const back = await rig.putTier(`back${round}`);
    await until('changes by NATS', () => feed.view.revision >= back);
    assert.equal(await isTruth(rig, feed), true);
  }
  assert.deepEqual(removals(feed), ['t10', 't11']);
  const revisions = new Map<string, bigint>();
  for (const event of feed.events) {
    if (event.kind !== 'put') continue;
    const { name } = event.resource.metadata;
    assert.ok(event.revision > (revisions.get(name) ?? 0n), `${name} went back`);
    revisions.set(name, event.revision);
  }
});

test('a NATS that falls silent is taken for gone', { skip: SKIP }, async (context) => {
  const rig = await filled(context);
  const api = await serveApi(rig, context);
  rig.startRelay('one');
  const feed = rig.openFeed('node', api);
  await until('in sync', () => feed.view.inSync);
  rig.nats.pause();
  const pausedAt = performance.now();
  const revision = await rig.putTier('while-halted');
  await until('the change by the api', () => feed.view.revision >= revision);
  context.diagnostic(`noticed after ${Math.round(performance.now() - pausedAt)} ms`);
  rig.nats.resume();
  const next = await rig.putTier('resumed');
  await until('the change after', () => feed.view.revision >= next);
  assert.equal(await isTruth(rig, feed), true);
  assert.deepEqual(removals(feed), []);
});

test('garbage on every subject is counted and skipped', { skip: SKIP }, async (context) => {
  const rig = await filled(context);
  rig.startRelay('one');
  const admin = await connect({ servers: rig.nats.url, timeout: ADMIN_MS });
  context.after(() => admin.close());
  const garbage = [new Uint8Array(), Uint8Array.of(255, 255, 255), new TextEncoder().encode('{}')];
  const subjects = [
    'calico.resource.tiers._.t1',
    'calico.resource.tiers._.none',
    'calico.resource.tiers',
    'calico.resource.nonsense._.x',
    'calico.resource.workloadendpoints.n1.default.w',
    'calico.resource.workloadendpoints.default.w',
    'calico.resource.tiers._.%zz',
    'calico.relay.synced',
    'calico.relay.other',
    'calico.node.n1',
    ...[
      'applied',
      'applied.felix',
      'peers',
      'endpoints',
      'endpoints.0',
      'health.bgp',
      'nonsense',
    ].map((topic) => `calico.node.n1.${topic}`),
  ];
  const early = rig.openFeed('early');
  await until('in sync', () => early.view.inSync);
  const status = rig.connect('status');
  const seen = reportsTo(status, context);
  await until('connected', () => status.connected);
  for (const data of garbage) {
    for (const subject of subjects) await admin.request(subject, data).catch(() => {});
  }
  const reporter = rig.connect('reporter');
  reporter.report('n1', 'health', { component: 'bgp', ready: true });
  await until('a real report', () => seen.length > 0);
  assert.deepEqual(
    seen.map(({ topic }) => topic),
    ['health'],
  );
  assert.ok(status.garbage >= 6, String(status.garbage));
  const revision = await rig.putTier('after');
  await until('a real change', () => early.view.revision >= revision);
  // The relay repairs what it comes upon: a newcomer finds the truth.
  const late = rig.openFeed('late');
  await until('in sync', () => late.view.inSync);
  await until('the truth', () => isTruth(rig, late));
  assert.equal(await isTruth(rig, early), true);
  assert.deepEqual(removals(early), []);
});

async function connectStreams(rig: Rig, context: TestContext): Promise<NatsStreams> {
  const servers = `nats://${rig.nats.url}`;
  const { logger } = rig;
  const streams = new NatsStreams({ servers, name: 'streams', logger, clock: systemClock });
  context.after(() => streams.close());
  await until('connected', () => streams.connected);
  return streams;
}

test('who begins to follow while a message is replaced learns when all has come', {
  skip: SKIP,
}, async (context) => {
  const rig = await Rig.start(context);
  const streams = await connectStreams(rig, context);
  const message = { subject: 'calico.relay.synced', data: Uint8Array.of(1) };
  for (let turn = 0; turn < 50; turn++) {
    const replacing = (async () => {
      await systemClock.sleep(turn % 4);
      for (let count = 0; count < 3; count++) await streams.publish(STREAMS.resources, message);
    })();
    let caughtUp = false;
    for await (const { kind } of streams.follow(STREAMS.resources, AbortSignal.timeout(120_000))) {
      caughtUp = kind === 'caught-up';
      if (caughtUp) break;
    }
    assert.ok(caughtUp, `turn ${turn}`);
    await replacing;
  }
});

test('who begins to follow while messages messages are stored gets each once, in order', {
  skip: SKIP,
}, async (context) => {
  const rig = await Rig.start(context);
  const streams = await connectStreams(rig, context);
  const stop = new AbortController();
  context.after(() => stop.abort());
  let stored = 0;
  const write = async (writer: number): Promise<void> => {
    for (let turn = 0; !stop.signal.aborted; turn++) {
      const subject = `calico.resource.tiers._.w${writer}-${turn % 50}`;
      await streams.publish(STREAMS.resources, { subject, data: Uint8Array.of(turn % 256) });
      stored++;
      await systemClock.sleep(1);
    }
  };
  const writing = Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
  writing.catch(() => {}); // until it is awaited
  await until('some are stored', () => stored > 100);
  for (let turn = 0; turn < 20; turn++) {
    let [last, live] = [0, 0];
    let caughtUp = false;
    for await (const item of streams.follow(STREAMS.resources, stop.signal)) {
      if (item.kind === 'caught-up') caughtUp = true;
      else {
        assert.ok(item.message.sequence > last, `${item.message.sequence} after ${last}`);
        last = item.message.sequence;
        if (caughtUp) live++;
      }
      if (live === 20 || last > 20_000) break;
    }
  }
  stop.abort();
  await writing;
});

test('a node answers questions, also after NATS was away', { skip: SKIP }, async (context) => {
  const rig = await Rig.start(context);
  const [asking, answering] = [rig.connect('status'), rig.connect('felix@n1')];
  answering.answer('n1', async (question, request) => {
    if (question !== 'echo') throw new RangeError(`what is ${question}?`);
    return request;
  });
  const echo = async (): Promise<boolean> => {
    const answer = await asking.ask('n1', 'echo', Uint8Array.of(7), 2_000).catch(() => undefined);
    return answer?.[0] === 7;
  };
  await until('an answer', echo);
  await assert.rejects(asking.ask('n1', 'other', Uint8Array.of(), 60_000), /what is other/);
  await assert.rejects(asking.ask('n2', 'echo', Uint8Array.of(), 60_000), /nobody answers/);
  await rig.nats.stop();
  await assert.rejects(asking.ask('n1', 'echo', Uint8Array.of(), 2_000));
  await rig.nats.start();
  await until('an answer again', echo);
});
