// One etcd watch as an iterable. Proof of life: an idle stream is asked for progress now and then, and
// silence ends it. (What etcd answers to that is not used as progress: before 3.4.25 and 3.5.8 it may
// run ahead of events that are still to come. Only etcd's own periodic progress is passed on.)
import type { CancelTimer } from '@calico/clock';
import type { IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3';
import type { EtcdClient } from './etcd_client.ts';
import { prefixEnd, toBatches, toBytes } from './etcd_entry.ts';
import { storeError } from './etcd_errors.ts';
import { CompactedError, StoreUnavailable, type WatchBatch } from './store.ts';

type Stream = IDuplexStream<IWatchRequest, IWatchResponse> & { pause(): void; resume(): void };

/** Batches waiting for the consumer beyond which reading stops. */
const HIGH_WATER = 256;

export async function* watchEtcd(
  client: EtcdClient,
  prefix: string,
  fromRevision: bigint,
  signal: AbortSignal,
): AsyncGenerator<WatchBatch, void, undefined> {
  if (signal.aborted) return;
  const watch = new EtcdWatch(client, `watch "${prefix}"`);
  const abort = (): void => watch.close();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await watch.open(prefix, fromRevision);
    for (;;) {
      const batch = await watch.next();
      if (batch === undefined) return;
      yield batch;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    watch.close();
  }
}

class EtcdWatch {
  readonly #client: EtcdClient;
  readonly #action: string;
  readonly #queue: WatchBatch[] = [];
  #stream: Stream | undefined;
  #end: { readonly error: Error | undefined } | undefined;
  #wake = Promise.withResolvers<void>();
  #paused = false;
  #cancelTimer: CancelTimer = () => {};

  constructor(client: EtcdClient, action: string) {
    this.#client = client;
    this.#action = action;
  }

  async open(prefix: string, fromRevision: bigint): Promise<void> {
    this.#expectAnswer();
    try {
      const stream = (await this.#client.etcd.watchClient.watch()) as Stream;
      this.#stream = stream;
      stream.on('data', (response) => this.#take(response));
      stream.on('error', (error) => this.#finish(storeError(error, this.#action, false)));
      stream.on('end', () => this.#finish(this.#unavailable('etcd ended the stream')));
      if (this.#end) return this.#cancel();
      stream.write({
        create_request: {
          key: prefix === '' ? Buffer.of(0) : toBytes(prefix),
          range_end: prefixEnd(prefix),
          start_revision: fromRevision.toString(),
          progress_notify: true,
        },
      });
    } catch (error) {
      this.#finish(storeError(error, this.#action, false));
    }
  }

  /** The next batch; undefined after close(). */
  async next(): Promise<WatchBatch | undefined> {
    for (;;) {
      const batch = this.#queue.shift();
      if (batch !== undefined) {
        this.#relieve();
        return batch;
      }
      if (this.#end?.error) throw this.#end.error;
      if (this.#end) return undefined;
      this.#wake = Promise.withResolvers<void>();
      await this.#wake.promise;
    }
  }

  close(): void {
    this.#finish(undefined);
  }

  #take(response: IWatchResponse): void {
    if (response.canceled) {
      const compacted = BigInt(response.compact_revision);
      const reason = response.cancel_reason || 'etcd cancelled it';
      this.#finish(compacted > 0n ? new CompactedError(compacted) : this.#unavailable(reason));
      return;
    }
    this.#client.noteReachable(true);
    this.#expectNothing();
    const asked = response.created || response.watch_id === '-1';
    if (asked) return;
    const batches = toBatches(response.events);
    if (batches.length === 0)
      batches.push({ revision: BigInt(response.header.revision), events: [] });
    this.#queue.push(...batches);
    if (this.#queue.length >= HIGH_WATER) {
      this.#paused = true;
      this.#cancelTimer();
      this.#stream?.pause();
    }
    this.#wake.resolve();
  }

  #relieve(): void {
    if (!this.#paused || this.#queue.length > HIGH_WATER / 2) return;
    this.#paused = false;
    this.#expectNothing();
    this.#stream?.resume();
  }

  /** All is well: ask again after a while. */
  #expectNothing(): void {
    const { clock, watchProbeMs } = this.#client;
    this.#cancelTimer();
    if (this.#end || this.#paused) return;
    this.#cancelTimer = clock.setTimer(watchProbeMs, () => {
      this.#stream?.write({ progress_request: {} });
      this.#expectAnswer();
    });
  }

  #expectAnswer(): void {
    const { clock, requestTimeoutMs } = this.#client;
    this.#cancelTimer();
    this.#cancelTimer = clock.setTimer(requestTimeoutMs, () => {
      this.#finish(this.#unavailable(`no answer within ${requestTimeoutMs} ms`));
    });
  }

  #finish(error: Error | undefined): void {
    if (this.#end) return;
    this.#end = { error };
    this.#cancelTimer();
    this.#cancel();
    if (error instanceof StoreUnavailable) this.#client.noteReachable(false, error.message);
    this.#wake.resolve();
  }

  #cancel(): void {
    // Ended first: etcd3 takes a cancelled stream that is still writable for a failed host.
    this.#stream?.end();
    this.#stream?.cancel();
  }

  #unavailable(reason: string): StoreUnavailable {
    return new StoreUnavailable('nothing-changed', `Cannot ${this.#action}: ${reason}`);
  }
}
