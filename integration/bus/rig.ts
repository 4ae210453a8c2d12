// A private etcd and NATS, relays, feeds: what the tests of this folder have in common.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Bus, type BusLogger, connectBus } from '@calico/bus';
import { systemClock } from '@calico/clock';
import { type FeedEvent, openFeed, type ResourceApi, ResourceView } from '@calico/feed';
import { openEtcd, type Store } from '@calico/store';
import { type Relay, startRelay } from '../../services/api/relay/relay.ts';
import { etcdServer, natsServer, type Server } from './servers.ts';

/** What a slow disk may take for what the test itself writes; an etcd that is away refuses at once. */
const ETCD_MS = 60_000;
export const ROOT = '/calico/resources/v3/projectcalico.org';

const SILENT: BusLogger = { debug() {}, info() {}, warn() {}, error() {} };
const LOUD: BusLogger = {
  debug() {},
  info: (...words) => console.error('#', ...words),
  warn: (...words) => console.error('#', ...words),
  error: (...words) => console.error('#', ...words),
};

export type RunningRelay = { readonly relay: Relay; readonly bus: Bus; stop(): Promise<void> };
export type RunningFeed = {
  readonly view: ResourceView;
  readonly events: readonly FeedEvent[];
  /** When the view became complete up to the revision, by performance.now(). */
  at(revision: bigint): number | undefined;
  stop(): void;
};

export class Rig {
  readonly nats: Server;
  readonly etcd: Server;
  readonly store: Store;
  readonly logger: BusLogger = process.env['RIG_LOG'] === undefined ? SILENT : LOUD;
  readonly #end = new AbortController();
  readonly #buses: Bus[] = [];
  readonly #stores: Store[] = [];

  constructor(nats: Server, etcd: Server) {
    this.nats = nats;
    this.etcd = etcd;
    this.store = this.openStore(ETCD_MS);
  }

  static async start(context: TestContext): Promise<Rig> {
    const rig = new Rig(await natsServer(), await etcdServer());
    context.after(() => rig.end());
    await Promise.all([rig.nats.start(), rig.etcd.start()]);
    return rig;
  }

  /** @param requestTimeoutMs unset: as the services have it */
  openStore(requestTimeoutMs?: number): Store {
    const endpoints = [`http://${this.etcd.url}`];
    const limit = requestTimeoutMs === undefined ? {} : { requestTimeoutMs };
    const store = openEtcd({ endpoints, clock: systemClock, logger: this.logger, ...limit });
    this.#stores.push(store);
    return store;
  }

  connect(name: string): Bus {
    const servers = `nats://${this.nats.url}`;
    const bus = connectBus({ servers, name, logger: this.logger, clock: systemClock });
    this.#buses.push(bus);
    return bus;
  }

  startRelay(candidate: string): RunningRelay {
    const stop = new AbortController();
    const bus = this.connect(candidate);
    const relay = startRelay({
      store: this.openStore(),
      bus,
      logger: this.logger,
      clock: systemClock,
      signal: AbortSignal.any([this.#end.signal, stop.signal]),
      candidate,
    });
    const end = async (): Promise<void> => {
      stop.abort();
      await relay.done;
      await bus.close();
    };
    return { relay, bus, stop: end };
  }

  openFeed(name: string, api?: ResourceApi): RunningFeed {
    const stop = new AbortController();
    const view = new ResourceView();
    const events: FeedEvent[] = [];
    const times: [bigint, number][] = [];
    const signal = AbortSignal.any([this.#end.signal, stop.signal]);
    const bus = this.connect(name);
    const read = async (): Promise<void> => {
      const options = { bus, api, clock: systemClock, logger: this.logger, signal };
      for await (const event of openFeed(options)) {
        view.apply(event);
        events.push(event);
        if (event.kind === 'in-sync') times.push([event.revision, performance.now()]);
      }
    };
    void read();
    const at = (revision: bigint) => times.find(([reached]) => reached >= revision)?.[1];
    return { view, events, at, stop: () => stop.abort() };
  }

  async putTier(name: string, order = 1): Promise<bigint> {
    const value = JSON.stringify({ kind: 'Tier', metadata: { name }, spec: { order } });
    const key = `${ROOT}/tiers/${name}`;
    const result = await this.store.commit({
      compare: [],
      operations: [{ kind: 'put', key, value }],
    });
    assert.ok(result.kind === 'committed');
    return result.revision;
  }

  async deleteTier(name: string): Promise<bigint> {
    const result = await this.store.commit({
      compare: [],
      operations: [{ kind: 'delete', key: `${ROOT}/tiers/${name}` }],
    });
    assert.ok(result.kind === 'committed');
    return result.revision;
  }

  /** "name@revision" of every tier in etcd. */
  async tiers(): Promise<string[]> {
    const { entries } = await this.store.list(`${ROOT}/tiers/`);
    return entries.map(({ key, modRevision }) => `${key.split('/').at(-1)}@${modRevision}`);
  }

  async end(): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#buses.map((bus) => bus.close()));
    for (const store of this.#stores) store.close();
    await Promise.all([this.nats.remove(), this.etcd.remove()]);
  }
}

export function tiersIn({ view }: RunningFeed): string[] {
  return view
    .list('Tier')
    .map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)
    .toSorted();
}

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) assert.fail(`Waited ${timeoutMs} ms in vain: ${what}`);
    await systemClock.sleep(20);
  }
}

export function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}
