// Programs that arrive together share a transaction. Those of one lane run in batches, one batch at a
// time; what arrives meanwhile makes the next batch. Lanes keep apart what touches different records:
// an economy, since every transaction compares what it rests on.
import type { Clock } from '@calico/clock';
import { Batch, Contradiction, ReadSet } from '../core/batch.ts';
import { IpamError } from '../core/ipam_error.ts';
import type { Entry, Known, Plan, Program, Reads } from '../core/program.ts';
import type { Random, RecordStore } from '../ports.ts';
import { RecordCache } from './record_cache.ts';
import { MAX_ATTEMPTS, pauseAfter, readAll, tooOften } from './store_access.ts';

export type GroupOptions = {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly onConflict: () => void;
  /** Runs a program that is too large for a batch. */
  readonly runAlone: <T>(start: Start<T>, signal?: AbortSignal) => Promise<T>;
};

type Start<T> = (now: number) => Program<T>;

type Job = {
  readonly start: Start<unknown>;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  attempts: number;
};

type Outcome =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'refused'; readonly error: unknown };

type Lane = { waiting: Job[] };

const MAX_WAITING = 1000;
const MAX_BATCH = 40;

export class GroupCommit {
  readonly #options: GroupOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #cache = new RecordCache();

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  /** @throws IpamError, StoreUnavailable, or the signal's reason */
  run<T>(name: string, start: Start<T>, signal?: AbortSignal): Promise<T> {
    const lane = this.#lanes.get(name) ?? { waiting: [] };
    if (lane.waiting.length >= MAX_WAITING) {
      const state = `${lane.waiting.length} requests wait already; try again`;
      return Promise.reject(new IpamError('contended', `Cannot serve ${name}: ${state}`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = (): void => reject(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    lane.waiting.push({ start, signal, resolve, reject, attempts: 0 });
    if (!this.#lanes.has(name)) {
      this.#lanes.set(name, lane);
      void this.#serve(name, lane);
    }
    return promise.finally(() => signal?.removeEventListener('abort', abort)) as Promise<T>;
  }

  /** The entry as last seen, else as it is. Only for choosing a lane. */
  async glance(key: string, signal?: AbortSignal): Promise<Entry | undefined> {
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached.entry;
    const entry = await this.#options.store.get(key, signal === undefined ? {} : { signal });
    this.#cache.set(key, entry);
    return entry;
  }

  async #serve(name: string, lane: Lane): Promise<void> {
    while (lane.waiting.length > 0) {
      const jobs = lane.waiting.splice(0, MAX_BATCH).filter(({ signal }) => !signal?.aborted);
      try {
        const again = await this.#attempt(jobs);
        lane.waiting.unshift(...again);
      } catch (error) {
        for (const { reject } of jobs) reject(error);
      }
    }
    this.#lanes.delete(name);
  }

  /** Answers the jobs that are to be tried again. */
  async #attempt(jobs: readonly Job[]): Promise<readonly Job[]> {
    const batch = new Batch();
    const outcomes: [Job, Outcome][] = [];
    let behind: readonly Job[] = [];
    try {
      for (const [index, job] of jobs.entries()) {
        const outcome = await this.#advance(batch, job);
        if (outcome !== undefined) {
          outcomes.push([job, outcome]);
          continue;
        }
        behind = jobs.slice(index);
        break;
      }
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
      this.#cache.forget(error.key);
      return this.#afresh(jobs);
    }
    if (outcomes.length === 0) return await this.#alone(behind);
    if (!(await this.#commit(batch))) {
      return [...(await this.#afresh(outcomes.map(([job]) => job))), ...behind];
    }
    for (const [job, outcome] of outcomes) {
      if (outcome.kind === 'done') job.resolve(outcome.value);
      else job.reject(outcome.error);
    }
    return behind;
  }

  /** Runs one program within the batch; undefined when it does not fit in any more. */
  async #advance(batch: Batch, job: Job): Promise<Outcome | undefined> {
    const reads = new ReadSet();
    const program = job.start(this.#options.clock.now());
    let known: Known | undefined;
    for (;;) {
      let step: IteratorResult<Reads, Plan<unknown>>;
      try {
        step = known === undefined ? program.next() : program.next(known);
      } catch (error) {
        // A refusal, too, must rest on what is so.
        return batch.accept(reads, undefined) ? { kind: 'refused', error } : undefined;
      }
      if (step.done === true) {
        const { value, transaction } = step.value;
        return batch.accept(reads, transaction) ? { kind: 'done', value } : undefined;
      }
      // Without a turn of the event loop where nothing has to be fetched.
      const answer = this.#read(batch, reads, step.value);
      known = answer instanceof Promise ? await answer : answer;
    }
  }

  async #commit(batch: Batch): Promise<boolean> {
    const { transaction } = batch;
    if (transaction.operations.length === 0 && transaction.compare.length === 0) return true;
    try {
      const result = await this.#options.store.commit(transaction);
      if (result.kind === 'conflict') {
        this.#cache.learned(transaction, result.current);
        return false;
      }
      this.#cache.wrote(transaction.operations, result.revision);
      for (const [prefix, listing] of batch.listingsAfter(result.revision)) {
        this.#cache.setListing(prefix, listing);
      }
      return true;
    } catch (error) {
      this.#cache.doubt(transaction);
      throw error;
    }
  }

  async #afresh(jobs: readonly Job[]): Promise<readonly Job[]> {
    const { clock, random, onConflict } = this.#options;
    onConflict();
    const attempt = jobs[0]?.attempts ?? 0;
    for (const job of jobs) {
      job.attempts++;
      if (job.attempts >= MAX_ATTEMPTS) job.reject(tooOften(job.attempts));
    }
    await clock.sleep(pauseAfter(attempt, random));
    return jobs.filter(({ attempts }) => attempts < MAX_ATTEMPTS);
  }

  async #alone([job, ...others]: readonly Job[]): Promise<readonly Job[]> {
    if (job === undefined) return [];
    await this.#options.runAlone(job.start, job.signal).then(job.resolve, job.reject);
    return others;
  }

  #read(batch: Batch, reads: ReadSet, wanted: Reads): Known | Promise<Known> {
    const { keys = [], prefixes = [], presumedAbsent = [], isHint = false } = wanted;
    if (!isHint) {
      for (const key of keys) reads.keys.add(key);
      for (const prefix of prefixes) reads.prefixes.add(prefix);
    }
    const missing = keys.filter((key) => !this.#noteCached(batch, key, presumedAbsent, isHint));
    const unlisted = prefixes.filter((prefix) => !this.#noteListing(batch, prefix, isHint));
    if (missing.length === 0 && unlisted.length === 0) return batch.known;
    return this.#fetch(batch, missing, unlisted);
  }

  async #fetch(batch: Batch, keys: readonly string[], prefixes: readonly string[]): Promise<Known> {
    const { entries, listings } = await readAll(this.#options.store, { keys, prefixes });
    for (const [key, entry] of entries) {
      this.#cache.set(key, entry);
      batch.note(key, entry);
    }
    for (const [prefix, listing] of listings) {
      this.#cache.setListing(prefix, listing);
      batch.noteListing(prefix, listing);
    }
    return batch.known;
  }

  /** Whether the batch knows the key now. Hints are always read. */
  #noteCached(
    batch: Batch,
    key: string,
    presumedAbsent: readonly string[],
    isHint: boolean,
  ): boolean {
    if (batch.hasFound(key)) return true;
    if (isHint) return false;
    const cached = this.#cache.get(key);
    if (cached === undefined && !presumedAbsent.includes(key)) return false;
    batch.note(key, cached?.entry);
    return true;
  }

  #noteListing(batch: Batch, prefix: string, isHint: boolean): boolean {
    if (batch.hasListing(prefix)) return true;
    const listing = isHint ? undefined : this.#cache.listing(prefix);
    if (listing === undefined) return false;
    batch.noteListing(prefix, listing);
    return true;
  }
}
