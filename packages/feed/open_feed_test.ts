import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { type Bus, MemoryBroker } from '@calico/bus';
import { FakeClock } from '@calico/clock';
import {
  ListResponseSchema,
  ResourceSchema,
  type WatchResponse,
  WatchResponseSchema,
} from '@calico/proto/api/v1/resources';
import { ResourceEventSchema } from '@calico/proto/events/v1/events';
import { openFeed, type ResourceApi } from './open_feed.ts';
import { eventText } from './testing/event_text.ts';

const LOGGER = { debug() {}, info() {}, warn() {}, error() {} };

function wireTier(name: string, revision: bigint) {
  const json = JSON.stringify({ kind: 'Tier', metadata: { name }, spec: {} });
  return create(ResourceSchema, { kind: 'Tier', name, revision, json });
}

/** The api: what it lists, and a watch into which the test speaks. */
class FakeApi implements ResourceApi {
  resources: readonly (readonly [string, bigint])[] = [];
  revision = 0n;
  failure: Error | undefined;
  lists = 0;
  watching = 0;
  #wake: (() => void) | undefined;
  #said: WatchResponse[] = [];

  readonly list: ResourceApi['list'] = async ({ pageToken = '' }) => {
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    this.lists++;
    // Two pages, to see that both are read.
    const half = Math.ceil(this.resources.length / 2);
    const page = pageToken === '' ? this.resources.slice(0, half) : this.resources.slice(half);
    return create(ListResponseSchema, {
      resources: page.map(([name, revision]) => wireTier(name, revision)),
      revision: this.revision,
      nextPageToken: pageToken === '' && half < this.resources.length ? 'more' : '',
    });
  };

  readonly watch: ResourceApi['watch'] = (_, options) => this.#watch(options?.signal);

  async *#watch(signal: AbortSignal | undefined): AsyncIterable<WatchResponse> {
    this.watching++;
    let isOpen = true;
    const close = (): void => {
      isOpen = false;
      this.#wake?.();
    };
    signal?.addEventListener('abort', close, { once: true });
    try {
      for (;;) {
        if (!isOpen) return;
        if (this.failure !== undefined) throw this.failure;
        yield* this.#said.splice(0);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.watching--;
    }
  }

  say(event: WatchResponse['event']): void {
    this.#said.push(create(WatchResponseSchema, { event }));
    this.#wake?.();
  }

  fail(failure: Error | undefined): void {
    this.failure = failure;
    this.#wake?.();
  }
}

class Rig {
  readonly clock = new FakeClock(1_000);
  readonly broker = new MemoryBroker(this.clock);
  readonly relay: Bus = this.broker.connect();
  readonly api = new FakeApi();
  readonly stop = new AbortController();
  readonly told: string[] = [];
  ended = false;

  start(options: { readonly hasApi: boolean } = { hasApi: true }): void {
    const feed = openFeed({
      bus: this.broker.connect(),
      api: options.hasApi ? this.api : undefined,
      clock: this.clock,
      logger: LOGGER,
      signal: this.stop.signal,
      random: () => 0.5,
    });
    void (async () => {
      for await (const event of feed) this.told.push(eventText(event));
      this.ended = true;
    })();
  }

  async publish(name: string, revision: bigint): Promise<void> {
    const event = { case: 'put' as const, value: wireTier(name, revision) };
    await this.relay.publishResource(create(ResourceEventSchema, { event }), revision);
  }

  async synced(revision: bigint): Promise<void> {
    await this.relay.publishSynced({ revision, etcdClusterId: 'cafe' });
  }

  /** Lets everything that can happen happen, then says what was told since the last time. */
  async settle(advanceMs = 0): Promise<string[]> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.clock.advance(advanceMs);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    return this.told.splice(0);
  }
}

test('openFeed() reads NATS and leaves the api alone', async () => {
  const rig = new Rig();
  await rig.publish('a', 1n);
  await rig.synced(1n);
  rig.start();
  assert.deepEqual(await rig.settle(), ['start nats', 'put a@1', 'in-sync 1']);
  assert.deepEqual(await rig.settle(10_000), []);
  assert.equal(rig.api.lists, 0);
  rig.stop.abort();
  await rig.settle();
  assert.equal(rig.ended, true);
});

test('openFeed() asks the api when NATS has been away for 3 s, and goes back', async () => {
  const rig = new Rig();
  await rig.publish('a', 1n);
  await rig.publish('b', 2n);
  await rig.synced(2n);
  rig.start();
  await rig.settle();
  rig.broker.stop();
  assert.deepEqual(await rig.settle(), ['lost nats']);
  assert.deepEqual(await rig.settle(2_900), []);
  rig.api.resources = [
    ['a', 1n],
    ['c', 4n],
    ['d', 5n],
  ];
  rig.api.revision = 5n;
  assert.deepEqual(await rig.settle(200), ['put c@4', 'put d@5', 'removed b@5', 'in-sync 5']);
  rig.api.say({ case: 'put', value: wireTier('a', 6n) });
  rig.api.say({ case: 'bookmark', value: { $typeName: 'calico.api.v1.Bookmark', revision: 6n } });
  assert.deepEqual(await rig.settle(), ['put a@6', 'in-sync 6']);
  assert.equal(rig.api.watching, 1);
  // NATS is back with old data: nothing old is told, and the api goes on until the marker is seen.
  rig.broker.start({ keepData: true });
  assert.deepEqual(await rig.settle(1_000), ['in-sync 6']);
  assert.equal(rig.api.watching, 0);
  await rig.publish('a', 6n);
  await rig.publish('e', 7n);
  await rig.synced(7n);
  // What the stream did not hold while it lagged is believed until it has caught up.
  assert.deepEqual(await rig.settle(), ['put e@7', 'removed c@7', 'removed d@7', 'in-sync 7']);
  rig.stop.abort();
});

test('openFeed() asks the api when NATS is there but holds no marker', async () => {
  const rig = new Rig();
  rig.api.resources = [['a', 3n]];
  rig.api.revision = 3n;
  rig.start();
  assert.deepEqual(await rig.settle(), ['start nats']);
  assert.deepEqual(await rig.settle(3_000), ['put a@3', 'in-sync 3']);
  await rig.publish('a', 3n);
  assert.deepEqual(await rig.settle(), []);
  assert.equal(rig.api.watching, 1);
  await rig.synced(3n);
  assert.deepEqual(await rig.settle(), ['in-sync 3']);
  assert.equal(rig.api.watching, 0);
  rig.stop.abort();
});

test('openFeed() tries the api again until it answers', async () => {
  const rig = new Rig();
  rig.broker.stop();
  rig.api.fail(new Error('away'));
  rig.start();
  assert.deepEqual(await rig.settle(3_000), []);
  assert.deepEqual(await rig.settle(10_000), []);
  rig.api.fail(undefined);
  rig.api.resources = [['a', 3n]];
  rig.api.revision = 3n;
  assert.deepEqual(await rig.settle(10_000), ['start api', 'put a@3', 'in-sync 3']);
  rig.api.fail(new Error('away again'));
  assert.deepEqual(await rig.settle(), ['lost api']);
  rig.api.fail(undefined);
  assert.deepEqual(await rig.settle(1_000), ['in-sync 3']);
  rig.stop.abort();
});

test('openFeed() without an api waits for NATS', async () => {
  const rig = new Rig();
  rig.broker.stop();
  rig.start({ hasApi: false });
  assert.deepEqual(await rig.settle(60_000), []);
  rig.stop.abort();
  await rig.settle();
  assert.equal(rig.ended, true);
});

test('openFeed() skips documents that cannot be read', async () => {
  const rig = new Rig();
  const broken = { ...wireTier('bad', 1n), json: '{"metadata": 7' };
  const event = { case: 'put' as const, value: broken };
  await rig.relay.publishResource(create(ResourceEventSchema, { event }), 1n);
  const other = { ...wireTier('other', 2n), name: 'claimed' };
  const claim = { case: 'put' as const, value: other };
  await rig.relay.publishResource(create(ResourceEventSchema, { event: claim }), 2n);
  await rig.publish('good', 3n);
  await rig.synced(3n);
  rig.start();
  assert.deepEqual(await rig.settle(), ['start nats', 'put good@3', 'in-sync 3']);
  rig.stop.abort();
});
