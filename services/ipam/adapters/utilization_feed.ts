// The use of pools, for watchers and metrics. While somebody watches, the records are followed; otherwise
// they are listed once a minute for the metrics, since being told of every change costs the assignments
// more than they cost themselves. Only the present state is kept: a slow watcher gets fewer messages,
// never old ones.
import type { Clock } from '@calico/clock';
import type { Store } from '@calico/store';
import { INDEXED_PREFIXES, type PoolSummary, UtilizationIndex } from '../core/utilization_index.ts';

const PAGE = 500;
const PAUSE_MS = 1000;
/** Between listings while nobody watches. */
const LISTING_MS = 60_000;

export type UtilizationFeedOptions = {
  readonly store: Pick<Store, 'list' | 'watch'>;
  readonly clock: Clock;
};

export type UtilizationChange = {
  readonly changed: readonly PoolSummary[];
  readonly removed: readonly string[];
};

export class UtilizationFeed {
  readonly #options: UtilizationFeedOptions;
  readonly #index = new UtilizationIndex();
  #isLoaded = false;
  /** What was loaded is still so. */
  #isFollowed = false;
  #watchers = 0;
  /** Ends when the first watcher comes or the last one goes. */
  #round = new AbortController();
  #changed = Promise.withResolvers<void>();

  constructor(options: UtilizationFeedOptions) {
    this.#options = options;
  }

  /** Works until the signal aborts. A lost watch begins anew with a listing. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      // What one watch loses, the other must not go on with.
      const round = new AbortController();
      const either = AbortSignal.any([signal, round.signal]);
      this.#round = round;
      const isWatched = this.#watchers > 0;
      try {
        const revision = await this.#load(either, isWatched);
        if (isWatched) await this.#followAll(revision + 1n, either, round);
        else await clock.sleep(LISTING_MS, either);
      } catch {
        // Readiness tells that etcd is away.
      }
      this.#isFollowed = false;
      const hasTurned = isWatched !== this.#watchers > 0;
      if (!hasTurned) await clock.sleep(PAUSE_MS, signal).catch(() => {});
    }
  }

  /** All pools first, then what differs from what was told, at most once per interval. */
  async *changes(intervalMs: number, signal: AbortSignal): AsyncGenerator<UtilizationChange> {
    if (this.#watchers++ === 0) this.#round.abort();
    try {
      yield* this.#tell(intervalMs, signal, () => this.#isFollowed);
    } finally {
      if (--this.#watchers === 0) this.#round.abort();
    }
  }

  /** As `changes()`, from listings that may be a minute old. */
  listings(intervalMs: number, signal: AbortSignal): AsyncGenerator<UtilizationChange> {
    return this.#tell(intervalMs, signal, () => this.#isLoaded);
  }

  async *#tell(
    intervalMs: number,
    signal: AbortSignal,
    isReady: () => boolean,
  ): AsyncGenerator<UtilizationChange> {
    const { clock } = this.#options;
    const told = new Map<string, string>();
    let isFirst = true;
    while (!signal.aborted) {
      const next = this.#changed.promise;
      const change = isReady() ? this.#difference(told) : undefined;
      const isNews = change !== undefined && change.changed.length + change.removed.length > 0;
      if (change !== undefined && (isFirst || isNews)) {
        isFirst = false;
        yield change;
        await clock.sleep(intervalMs, signal).catch(() => {});
      }
      await untilAborted(next, signal);
    }
  }

  async #followAll(from: bigint, signal: AbortSignal, round: AbortController): Promise<void> {
    await Promise.all(
      INDEXED_PREFIXES.map((prefix) =>
        this.#follow(prefix, from, signal).finally(() => round.abort()),
      ),
    );
  }

  #difference(told: Map<string, string>): UtilizationChange {
    const summaries = this.#index.summaries(this.#options.clock.now());
    const texts = new Map(summaries.map((summary) => [summary.name, textOf(summary)]));
    const changed = summaries.filter(({ name }) => told.get(name) !== texts.get(name));
    const removed = [...told.keys()].filter((name) => !texts.has(name));
    for (const name of removed) told.delete(name);
    for (const [name, text] of texts) told.set(name, text);
    return { changed, removed };
  }

  async #load(signal: AbortSignal, isFollowed: boolean): Promise<bigint> {
    const { store } = this.#options;
    const loaded: [key: string, value: string][] = [];
    let revision: bigint | undefined;
    for (const prefix of INDEXED_PREFIXES) {
      let after: string | undefined;
      do {
        const page = await store.list(prefix, {
          limit: PAGE,
          signal,
          ...(after === undefined ? {} : { after }),
          ...(revision === undefined ? {} : { revision }),
        });
        revision ??= page.revision;
        loaded.push(...page.entries.map(({ key, value }): [string, string] => [key, value]));
        after = page.more ? page.entries.at(-1)?.key : undefined;
      } while (after !== undefined);
    }
    this.#index.clear();
    for (const [key, value] of loaded) this.#index.apply(key, value);
    this.#isLoaded = true;
    this.#isFollowed = isFollowed;
    this.#wake();
    return revision ?? 0n;
  }

  async #follow(prefix: string, from: bigint, signal: AbortSignal): Promise<void> {
    for await (const { events } of this.#options.store.watch(prefix, from, signal)) {
      for (const event of events) {
        if (event.kind === 'put') this.#index.apply(event.entry.key, event.entry.value);
        else this.#index.apply(event.key, undefined);
      }
      if (events.length > 0) this.#wake();
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function textOf(summary: PoolSummary): string {
  return Object.values(summary).join(' ');
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  const abort = (): void => aborted.resolve();
  signal.addEventListener('abort', abort, { once: true });
  await Promise.race([promise, aborted.promise]);
  signal.removeEventListener('abort', abort);
}
