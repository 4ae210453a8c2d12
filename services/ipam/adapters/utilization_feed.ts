// Follows the records that the use of pools depends on, for watchers and metrics. Only the present
// state is kept: a slow watcher gets fewer messages, never old ones.
import type { Clock } from '@calico/clock';
import type { Store } from '@calico/store';
import { INDEXED_PREFIXES, type PoolSummary, UtilizationIndex } from '../core/utilization_index.ts';

const PAGE = 500;
const PAUSE_MS = 1000;

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
  #changed = Promise.withResolvers<void>();

  constructor(options: UtilizationFeedOptions) {
    this.#options = options;
  }

  /** Follows until the signal aborts. A lost watch begins anew with a listing. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // What one watch loses, the other must not go on with.
      const round = new AbortController();
      const either = AbortSignal.any([signal, round.signal]);
      try {
        const revision = await this.#load(either);
        await Promise.all(
          INDEXED_PREFIXES.map((prefix) =>
            this.#follow(prefix, revision + 1n, either).finally(() => round.abort()),
          ),
        );
      } catch {
        // Readiness tells that etcd is away.
      }
      await this.#options.clock.sleep(PAUSE_MS, signal).catch(() => {});
    }
  }

  /** All pools first, then what differs from what was told, at most once per interval. */
  async *changes(intervalMs: number, signal: AbortSignal): AsyncGenerator<UtilizationChange> {
    const { clock } = this.#options;
    const told = new Map<string, string>();
    let isFirst = true;
    while (!signal.aborted) {
      const next = this.#changed.promise;
      const change = this.#isLoaded ? this.#difference(told) : undefined;
      const isNews = change !== undefined && change.changed.length + change.removed.length > 0;
      if (change !== undefined && (isFirst || isNews)) {
        isFirst = false;
        yield change;
        await clock.sleep(intervalMs, signal).catch(() => {});
      }
      await untilAborted(next, signal);
    }
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

  async #load(signal: AbortSignal): Promise<bigint> {
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
