import type { Bus, BusLogger } from '@calico/bus';
import type { CancelTimer, Clock } from '@calico/clock';
import { Mailbox } from '@calico/mailbox';
import type { ResourceService } from '@calico/proto/api/v1/resources';
import type { RpcClient } from '@calico/rpc';
import { apiSource } from './api_source.ts';
import type { FeedEvent, FeedSource } from './events.ts';
import { natsSource } from './nats_source.ts';
import { Sequencer } from './sequencer.ts';
import type { SourceEvent } from './source_event.ts';

/** What the feed uses of the api service. */
export type ResourceApi = Pick<RpcClient<typeof ResourceService>, 'list' | 'watch'>;

export type FeedOptions = {
  readonly bus: Pick<Bus, 'resources'>;
  /** Asked while NATS is away; undefined: the feed waits for NATS. */
  readonly api: ResourceApi | undefined;
  readonly clock: Clock;
  readonly logger: BusLogger;
  /** Ends the feed. */
  readonly signal: AbortSignal;
  /** How long NATS may be away before the api is asked. Default 3,000. */
  readonly patienceMs?: number | undefined;
  /** Uniform in [0, 1), for jitter. */
  readonly random?: (() => number) | undefined;
};

const PATIENCE_MS = 3_000;
/** Events that wait for a slow reader; beyond that the sources are held back. */
const MAILBOX_CAPACITY = 256;

/**
 * The cluster's resources for ever, from NATS, or from the api's List and Watch while NATS is away.
 *
 * Events are differences: `snapshot-start` comes once, at the beginning; after that a new snapshot of
 * a source shows as what it changed. For one key revisions only grow; a source that lags behind never
 * brings an older state back. Ends when the signal is aborted. Throws only
 * for a fault of ours.
 */
export async function* openFeed(options: FeedOptions): AsyncIterable<FeedEvent> {
  const run = new FeedRun(options);
  try {
    yield* run.events();
  } finally {
    run.end();
  }
}

type Said = { readonly source: FeedSource; readonly event: SourceEvent };

/** One open feed: which sources run, and the mailbox that they write to. */
class FeedRun {
  readonly #options: FeedOptions;
  readonly #mailbox = new Mailbox<Said>(MAILBOX_CAPACITY);
  readonly #sequencer = new Sequencer();
  readonly #end = new AbortController();
  readonly #signal: AbortSignal;
  #fault: Error | undefined;
  #api: AbortController | undefined;
  #cancelPatience: CancelTimer | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#signal = AbortSignal.any([options.signal, this.#end.signal]);
  }

  async *events(): AsyncIterable<FeedEvent> {
    if (this.#signal.aborted) return;
    this.#signal.addEventListener('abort', () => this.#stop(), { once: true });
    this.#pump('nats', natsSource(this.#options.bus, this.#signal, this.#skipped), this.#signal);
    this.#startPatience();
    for await (const { source, event } of this.#mailbox) {
      if (this.#signal.aborted) break;
      if (source === 'nats') this.#watchNats(event);
      yield* this.#sequencer.accept(source, event);
    }
    if (this.#fault !== undefined) throw this.#fault;
  }

  end(): void {
    this.#end.abort();
  }

  #stop(): void {
    this.#cancelPatience?.();
    this.#api?.abort();
    this.#mailbox.close();
  }

  #watchNats(event: SourceEvent): void {
    if (event.kind === 'in-sync') {
      this.#cancelPatience?.();
      this.#cancelPatience = undefined;
      this.#stopApi();
    } else if (event.kind === 'lost') {
      this.#startPatience();
    }
  }

  #startPatience(): void {
    const { api, clock, patienceMs = PATIENCE_MS } = this.#options;
    if (api === undefined || this.#cancelPatience !== undefined || this.#api !== undefined) return;
    this.#cancelPatience = clock.setTimer(patienceMs, () => {
      this.#cancelPatience = undefined;
      if (!this.#signal.aborted) this.#startApi(api);
    });
  }

  #startApi(api: ResourceApi): void {
    const { clock, logger, random = Math.random } = this.#options;
    logger.warn('NATS is away; reading the cluster from the api');
    this.#api = new AbortController();
    const signal = AbortSignal.any([this.#signal, this.#api.signal]);
    const source = apiSource({ api, clock, random, signal, skipped: this.#skipped });
    this.#pump('api', source, signal);
  }

  #stopApi(): void {
    if (this.#api === undefined) return;
    this.#options.logger.info('NATS is back; no longer reading the cluster from the api');
    this.#api.abort();
    this.#api = undefined;
  }

  #pump(source: FeedSource, events: AsyncIterable<SourceEvent>, signal: AbortSignal): void {
    const pump = async (): Promise<void> => {
      for await (const event of events) {
        await this.#mailbox.send({ source, event }, signal);
      }
    };
    pump().catch((cause: unknown) => {
      if (signal.aborted) return;
      // A source meets every outside failure by itself, so this is a fault of ours: the reader
      // must not go on as if nothing changed any more.
      this.#fault = new Error(`Cannot read the cluster from ${source}`, { cause });
      this.#end.abort();
    });
  }

  readonly #skipped = (reason: string): void => {
    this.#options.logger.warn('Skipped a resource that cannot be read', { reason });
  };
}
