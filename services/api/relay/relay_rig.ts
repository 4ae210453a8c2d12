// Relays between an etcd and a NATS in memory; for tests.
import assert from 'node:assert/strict';
import { type Bus, type BusLogger, MemoryBroker } from '@calico/bus';
import { FakeClock } from '@calico/clock';
import { MemoryStore, type Operation } from '@calico/store';
import { LEADER_KEY } from './leadership.ts';
import { type Relay, startRelay } from './relay.ts';

export const ROOT = '/calico/resources/v3/projectcalico.org';
const LOGGER: BusLogger = { debug() {}, info() {}, warn() {}, error() {} };

export function tierPath(name: string): string {
  return `${ROOT}/tiers/${name}`;
}

export class Rig {
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

  /** Lets time pass, with everything that happens in it. */
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

  /** What the stream holds, a line per subject: "put tiers._.a@2"; last the marker. */
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

/** Lets what is under way go on. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
}
