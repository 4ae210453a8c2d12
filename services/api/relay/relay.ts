// etcd's changes to NATS, by one leader among the replicas.
//
//   wait for NATS -> campaign -> read the stream, read etcd -> publish what differs -> marker
//                       ^                                                             |
//                       |                         watch etcd: publish, marker, publish, marker, …
//                       +-- lease or NATS lost --------+---- stream or history not as known: repair
import { hostname } from 'node:os';
import { type Bus, type BusLogger, untilConnected } from '@calico/bus';
import type { Clock } from '@calico/clock';
import { CompactedError, type Store, StoreUnavailable } from '@calico/store';
import { BatchReader } from './batch_reader.ts';
import { readIdentity } from './identity.ts';
import { campaign, type Leadership } from './leadership.ts';
import { Ledger } from './ledger.ts';
import { Publisher } from './publisher.ts';
import { readTruth } from './truth.ts';

export type RelayOptions = {
  readonly store: Store;
  readonly bus: Bus;
  readonly logger: BusLogger;
  readonly clock: Clock;
  /** Stops the relay; a leader gives its place up at once. */
  readonly signal: AbortSignal;
  /** How this replica is called where people look. */
  readonly candidate?: string | undefined;
  /** Uniform in [0, 1), for jitter. */
  readonly random?: (() => number) | undefined;
  /** A text that never comes twice. */
  readonly newMark?: (() => string) | undefined;
};

export interface Relay {
  readonly leading: boolean;
  /** The stream is known to hold everything up to this revision; 0n: not leading. */
  readonly revision: bigint;
  readonly counts: RelayCounts;
  /** Resolves when the relay has stopped. */
  readonly done: Promise<void>;
}

export type RelayCounts = {
  readonly published: number;
  readonly repairs: number;
  readonly unreadable: number;
  readonly failures: number;
};

const WATCHED = '/calico/';
/** Batches of etcd's watch read ahead. */
const READ_AHEAD = 512;
/** How often the marker is repeated when nothing changes: it also finds out that a stream is gone. */
const MARKER_MS = 5_000;
/** Removals are kept this long; a node that was away longer takes a snapshot anyway. */
const REMOVAL_KEPT_MS = 600_000;
const TIDY_MS = 30_000;
const RETRY_MS = { first: 100, most: 3_000 };

/** Runs until the signal is aborted; whatever is away is waited for. */
export function startRelay(options: RelayOptions): Relay {
  return new RunningRelay(options);
}

class RunningRelay implements Relay {
  readonly #options: RelayOptions;
  readonly #counts = { published: 0, repairs: 0, unreadable: 0, failures: 0 };
  readonly done: Promise<void>;
  #leading = false;
  #revision = 0n;
  #retryMs = RETRY_MS.first;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.done = this.#run();
  }

  get leading(): boolean {
    return this.#leading;
  }

  get revision(): bigint {
    return this.#revision;
  }

  get counts(): RelayCounts {
    return this.#counts;
  }

  async #run(): Promise<void> {
    const {
      store,
      bus,
      clock,
      signal,
      logger,
      candidate = `${hostname()}/${process.pid}`,
    } = this.#options;
    while (!signal.aborted) {
      let place: Leadership | undefined;
      try {
        await untilConnected(bus, signal);
        place = await campaign({ store, clock, signal, candidate });
        logger.info('Relaying etcd to NATS: this replica leads');
        this.#leading = true;
        await this.#lead(place.signal);
      } catch (cause) {
        if (!signal.aborted) this.#failed(cause);
      }
      this.#leading = false;
      this.#revision = 0n;
      await place?.resign();
      await this.#pause(signal);
    }
  }

  /** Until the place or NATS is lost, or the signal. */
  async #lead(whileLeading: AbortSignal): Promise<void> {
    const { bus, signal } = this.#options;
    while (!whileLeading.aborted && bus.connected) {
      try {
        const { publisher, ledger } = await this.#repair(whileLeading);
        await this.#follow(publisher, ledger, whileLeading);
      } catch (cause) {
        if (whileLeading.aborted) break;
        this.#failed(cause);
        await this.#pause(whileLeading);
      }
    }
    if (!signal.aborted) whileLeading.throwIfAborted();
  }

  /** Makes the stream hold what etcd holds, and says so. */
  async #repair(signal: AbortSignal) {
    const { store, bus, clock, logger, newMark = () => crypto.randomUUID() } = this.#options;
    this.#counts.repairs++;
    // The stream first: whatever a former leader published, etcd is then read at least as new.
    const contents = await bus.readResources(signal);
    const etcdClusterId = await readIdentity(store, newMark, contents.marker, signal);
    const truth = await readTruth(store, signal, this.#unreadable);
    const ledger = new Ledger(contents);
    const sameData = contents.marker?.etcdClusterId === etcdClusterId;
    const { changes, purges } = ledger.repair(truth, contents, sameData);
    const { markerSequence } = contents;
    const publisher = new Publisher({ bus, clock, ledger, etcdClusterId, markerSequence });
    signal.throwIfAborted();
    await publisher.markFilling();
    await this.#counted(publisher, () => publisher.publish(changes));
    await publisher.purge(purges);
    await this.#mark(publisher, truth.revision, signal);
    logger.info('Relaying etcd to NATS: the stream is complete', {
      revision: String(truth.revision),
      resources: truth.puts.size,
      repaired: changes.length,
    });
    return { publisher, ledger };
  }

  async #follow(publisher: Publisher, ledger: Ledger, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    for (;;) {
      const stop = new AbortController();
      try {
        await this.#relay(publisher, ledger, AbortSignal.any([signal, stop.signal]));
      } catch (cause) {
        if (!(cause instanceof StoreUnavailable) || signal.aborted) throw cause;
        logger.warn(`Lost the watch of etcd: ${cause.message}`);
        await clock.sleep(this.#jitter(RETRY_MS.first), signal);
      } finally {
        stop.abort();
      }
    }
  }

  /** One watch of etcd, from the last revision relayed on. */
  async #relay(publisher: Publisher, ledger: Ledger, signal: AbortSignal): Promise<never> {
    const { store, clock } = this.#options;
    const reader = new BatchReader(store.watch(WATCHED, this.#revision + 1n, signal), READ_AHEAD);
    let [markedAt, tidiedAt] = [clock.monotonic(), clock.monotonic()];
    for (;;) {
      const batches = await reader.take(clock, MARKER_MS);
      signal.throwIfAborted();
      const now = clock.monotonic();
      const events = batches.flatMap((batch) => batch.events);
      const changes = ledger.changes(events, this.#unreadable);
      await this.#counted(publisher, () => publisher.publish(changes));
      const revision = batches.at(-1)?.revision ?? this.#revision;
      if (revision > this.#revision || now - markedAt >= MARKER_MS) {
        await this.#mark(publisher, revision, signal);
        markedAt = now;
      }
      if (now - tidiedAt >= TIDY_MS) {
        await publisher.purge(ledger.removalsBefore(clock.now() - REMOVAL_KEPT_MS));
        tidiedAt = now;
      }
    }
  }

  async #mark(publisher: Publisher, revision: bigint, signal: AbortSignal): Promise<void> {
    // A leader that has lost its place has nothing to promise.
    signal.throwIfAborted();
    await publisher.mark(revision);
    this.#revision = revision;
    this.#retryMs = RETRY_MS.first;
  }

  async #counted(publisher: Publisher, publish: () => Promise<void>): Promise<void> {
    const before = publisher.published;
    try {
      await publish();
    } finally {
      this.#counts.published += publisher.published - before;
    }
  }

  readonly #unreadable = (reason: string): void => {
    this.#counts.unreadable++;
    this.#options.logger.error('A resource in etcd cannot be read; for nodes it does not exist', {
      reason,
    });
  };

  #failed(cause: unknown): void {
    this.#counts.failures++;
    const text = cause instanceof Error ? cause.message : String(cause);
    const message = `Relaying is interrupted: ${text}`;
    if (cause instanceof CompactedError) this.#options.logger.info(message);
    else this.#options.logger.warn(message);
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(delayMs * 2, RETRY_MS.most);
    await this.#options.clock.sleep(this.#jitter(delayMs), signal).catch(() => {});
  }

  #jitter(delayMs: number): number {
    const { random = Math.random } = this.#options;
    return delayMs * (0.5 + random());
  }
}
