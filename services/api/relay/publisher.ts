import type { Bus, SyncedMarker } from '@calico/bus';
import type { Clock } from '@calico/clock';
import type { Change } from './change.ts';
import type { Ledger } from './ledger.ts';

/** Messages under way at once. */
const WINDOW = 256;

export type PublisherOptions = {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly etcdClusterId: string;
  readonly markerSequence: number;
};

/** Publishes what the ledger lacks and keeps the ledger. Throws BusUnavailable, SequenceConflict. */
export class Publisher {
  readonly #options: PublisherOptions;
  #markerSequence: number;
  #published = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#markerSequence = options.markerSequence;
  }

  /** Messages that the server stored. */
  get published(): number {
    return this.#published;
  }

  /** In order, a bounded number at once; resolves when all are stored. No two of one subject. */
  async publish(changes: Iterable<Change>): Promise<void> {
    const underWay = new Set<Promise<void>>();
    let failure: { readonly cause: unknown } | undefined;
    for (const change of changes) {
      if (failure !== undefined) break;
      const sending = this.#send(change)
        .catch((cause: unknown) => {
          failure ??= { cause };
        })
        .finally(() => underWay.delete(sending));
      underWay.add(sending);
      if (underWay.size >= WINDOW) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    if (failure !== undefined) throw failure.cause;
  }

  /**
   * To be called before the first message of a repair. A stream without a marker could be lost and be
   * made anew between the messages and their marker, and nobody would notice: so there is one first.
   */
  async markFilling(): Promise<void> {
    if (this.#markerSequence === 0) await this.mark(0n);
  }

  /** Throws SequenceConflict when the stream is not the one of the last marker. */
  async mark(revision: bigint): Promise<void> {
    const { bus, etcdClusterId } = this.#options;
    const marker: SyncedMarker = { revision, etcdClusterId };
    const { sequence } = await bus.publishSynced(marker, this.#markerSequence);
    this.#markerSequence = sequence;
  }

  async purge(subjects: ReadonlyMap<string, number>): Promise<void> {
    const { bus, ledger } = this.#options;
    for (const [subject, sequence] of subjects) {
      await bus.purgeResource(subject, sequence);
      ledger.purged(subject);
    }
  }

  async #send(change: Change): Promise<void> {
    const { bus, clock, ledger, etcdClusterId } = this.#options;
    const { sequence, duplicate } = await bus.publishResource(change.event, change.revision, {
      node: change.node,
      etcdClusterId,
      expectedSequence: ledger.sequence(change.subject),
    });
    if (!duplicate) this.#published++;
    ledger.published(change, sequence, clock.now());
  }
}
