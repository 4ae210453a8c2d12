// Programs that arrive together share a transaction: while few transactions are under way, what
// arrives makes the next one. Programs of one lane compete for the same records and are never in two
// transactions at once. An economy: every transaction compares what it rests on.
import { setImmediate } from 'node:timers';
import type { Clock } from '@calico/clock';
import { Batch, Contradiction, ReadSet } from '../core/batch.ts';
import { IpamError } from '../core/ipam_error.ts';
import {
  type Entry,
  type Known,
  outcomeOf,
  type Plan,
  type Program,
  type Reads,
  type Transaction,
} from '../core/program.ts';
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
  readonly lane: string;
  readonly start: Start<unknown>;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  attempts: number;
};

type Outcome =
  | { readonly kind: 'done'; readonly plan: Plan<unknown> }
  | { readonly kind: 'refused'; readonly error: unknown }
  /** Needs to look at more than a batch may wait for. */
  | { readonly kind: 'large' };

/** What became of the jobs that have no outcome yet. */
type Parts = {
  readonly again: readonly Job[];
  /** Another writer was faster. */
  readonly lost: readonly Job[];
  readonly alone: readonly Job[];
};

const MAX_WAITING = 1000;
const MAX_BATCH = 40;
/** Transactions under way at once: while the store works on one, the next is made. */
const MAX_UNDER_WAY = 2;
/** Few requests gain nothing by sharing, and would only wait for each other. */
const MANY = 16;
const MAX_SMALL_UNDER_WAY = 8;
/** The revision of a transaction that neither compares nor writes. */
const NOTHING = 0n;

export class GroupCommit {
  readonly #options: GroupOptions;
  readonly #cache = new RecordCache();
  #waiting: Job[] = [];
  /** Jobs that wait or run, by lane. */
  readonly #counts = new Map<string, number>();
  readonly #busyLanes = new Set<string>();
  #underWay = 0;
  #jobsUnderWay = 0;
  #isWoken = false;

  constructor(options: GroupOptions) {
    this.#options = options;
  }

  /** @throws IpamError, StoreUnavailable, or the signal's reason */
  run<T>(lane: string, start: Start<T>, signal?: AbortSignal): Promise<T> {
    const count = this.#counts.get(lane) ?? 0;
    if (count >= MAX_WAITING) {
      const state = `${count} requests wait already; try again`;
      return Promise.reject(new IpamError('contended', `Cannot serve ${lane}: ${state}`));
    }
    this.#counts.set(lane, count + 1);
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (): void => {
        if (isOver) return;
        isOver = true;
        signal?.removeEventListener('abort', abort);
        this.#leave(lane);
      };
      const job: Job = {
        lane,
        start,
        signal,
        resolve: (value) => {
          end();
          resolve(value as T);
        },
        reject: (reason) => {
          end();
          reject(reason);
        },
        attempts: 0,
      };
      const abort = (): void => job.reject(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      if (signal?.aborted === true) abort();
      this.#waiting.push(job);
      this.#wake();
    });
  }

  #leave(lane: string): void {
    const left = (this.#counts.get(lane) ?? 1) - 1;
    if (left > 0) this.#counts.set(lane, left);
    else this.#counts.delete(lane);
  }

  /** The entry as last seen, else as it is. Only for choosing a lane. */
  async glance(key: string, signal?: AbortSignal): Promise<Entry | undefined> {
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached.entry;
    const entry = await this.#options.store.get(key, signal === undefined ? {} : { signal });
    this.#cache.set(key, entry);
    return entry;
  }

  /** At once when nothing is under way, else after this turn of the event loop, which may bring more. */
  #wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    const later = this.#underWay === 0 ? queueMicrotask : setImmediate;
    later(() => {
      this.#isWoken = false;
      while (this.#underWay < (this.#areMany ? MAX_UNDER_WAY : MAX_SMALL_UNDER_WAY)) {
        const jobs = this.#take();
        if (jobs.length === 0) return;
        void this.#serve(jobs);
      }
    });
  }

  /** The jobs of the next batch, by age, of some of the lanes that are free. */
  #take(): Job[] {
    this.#waiting = this.#waiting.filter((job) => !isGone(job));
    const ready = this.#waiting.filter(({ lane }) => !this.#busyLanes.has(lane));
    const [first] = ready;
    // Of a few that could go now more come: they are the answered ones' next requests.
    if (first === undefined || (this.#areMany && ready.length < this.#jobsUnderWay)) return [];
    const lanes = this.#lanesToServe(ready);
    const taken = new Set<Job>();
    for (const job of ready) {
      if (taken.size >= MAX_BATCH) break;
      // Lanes in which other processes compete do not hold up the rest.
      const isApart = first.attempts + job.attempts > 0;
      if (isApart ? job.lane === first.lane : lanes.has(job.lane)) taken.add(job);
    }
    this.#waiting = this.#waiting.filter((job) => !taken.has(job));
    return [...taken];
  }

  get #areMany(): boolean {
    return this.#jobsUnderWay >= MANY;
  }

  /** Half of the lanes when many wait and nothing is under way, so that two halves can take turns. */
  #lanesToServe(ready: readonly Job[]): ReadonlySet<string> {
    const lanes = new Set(ready.map(({ lane }) => lane));
    if (this.#underWay > 0 || ready.length < MANY) return lanes;
    return new Set([...lanes].slice(0, Math.ceil(lanes.size / 2)));
  }

  async #serve(jobs: readonly Job[]): Promise<void> {
    const lanes = new Set(jobs.map(({ lane }) => lane));
    for (const lane of lanes) this.#busyLanes.add(lane);
    this.#underWay++;
    this.#jobsUnderWay += jobs.length;
    let parts: Parts = { again: [], lost: [], alone: [] };
    try {
      parts = await this.#attempt(jobs);
    } catch (error) {
      for (const { reject } of jobs) reject(error);
    }
    this.#underWay--;
    this.#jobsUnderWay -= jobs.length;
    this.#waiting.unshift(...parts.again);
    const kept = this.#runAlone(parts.alone);
    if (parts.lost.length > 0) void this.#retry(parts.lost, kept);
    const lost = new Set(parts.lost.map(({ lane }) => lane));
    for (const lane of lanes) if (!kept.has(lane) && !lost.has(lane)) this.#busyLanes.delete(lane);
    this.#wake();
  }

  /** Lets the jobs wait a moment, and their lanes with them. */
  async #retry(jobs: readonly Job[], alone: ReadonlySet<string>): Promise<void> {
    const { clock, random, onConflict } = this.#options;
    onConflict();
    const attempt = Math.max(...jobs.map(({ attempts }) => attempts));
    for (const job of jobs) {
      job.attempts++;
      if (job.attempts >= MAX_ATTEMPTS) job.reject(tooOften(job.attempts));
    }
    await clock.sleep(pauseAfter(attempt, random));
    this.#waiting.unshift(...jobs.filter(({ attempts }) => attempts < MAX_ATTEMPTS));
    for (const { lane } of jobs) if (!alone.has(lane)) this.#busyLanes.delete(lane);
    this.#wake();
  }

  /** Starts the first of each lane, and answers the lanes that stay busy meanwhile. */
  #runAlone(jobs: readonly Job[]): ReadonlySet<string> {
    const lanes = new Set<string>();
    for (const job of jobs) {
      if (lanes.has(job.lane)) {
        this.#waiting.unshift(job);
        continue;
      }
      lanes.add(job.lane);
      void this.#serveAlone(job);
    }
    return lanes;
  }

  async #serveAlone(job: Job): Promise<void> {
    await this.#options.runAlone(job.start, job.signal).then(job.resolve, job.reject);
    this.#busyLanes.delete(job.lane);
    this.#wake();
  }

  async #attempt(jobs: readonly Job[]): Promise<Parts> {
    const batch = new Batch();
    const outcomes: [Job, Outcome][] = [];
    const alone: Job[] = [];
    let behind: readonly Job[] = [];
    try {
      for (const [index, job] of jobs.entries()) {
        if (isGone(job)) continue;
        const outcome = await this.#advance(batch, job);
        if (outcome?.kind === 'large') alone.push(job);
        else if (outcome !== undefined) outcomes.push([job, outcome]);
        else {
          behind = jobs.slice(index);
          break;
        }
      }
    } catch (error) {
      if (!(error instanceof Contradiction)) throw error;
      this.#cache.contradicted(error.key);
      return { again: [], lost: jobs, alone: [] };
    }
    if (outcomes.length === 0) {
      // The first does not fit into a transaction even alone.
      const [first, ...others] = behind;
      return { again: others, lost: [], alone: first === undefined ? alone : [...alone, first] };
    }
    if (outcomes.some(([job]) => isGone(job))) {
      // Nobody waits for it any more, and its changes cannot be taken out of the batch.
      const waited = outcomes.map(([job]) => job).filter((job) => !isGone(job));
      return { again: [...waited, ...behind], lost: [], alone };
    }
    const { transaction } = batch;
    const revision = await this.#commit(transaction);
    if (revision === undefined) {
      return { again: behind, lost: outcomes.map(([job]) => job), alone };
    }
    for (const [job, outcome] of outcomes) {
      if (outcome.kind === 'done') job.resolve(outcomeOf(outcome.plan, revision));
      else if (outcome.kind === 'refused') job.reject(outcome.error);
    }
    if (revision !== NOTHING) {
      await answersAreSent();
      this.#remember(batch, transaction, revision);
    }
    return { again: behind, lost: [], alone };
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
        const plan = step.value;
        return batch.accept(reads, plan.transaction) ? { kind: 'done', plan } : undefined;
      }
      if (step.value.isHint === true && (step.value.prefixes ?? []).length > 0) {
        return { kind: 'large' };
      }
      // Without a turn of the event loop where nothing has to be fetched.
      const answer = this.#read(batch, reads, step.value);
      known = answer instanceof Promise ? await answer : answer;
    }
  }

  /** The revision at which it committed; undefined: another writer was faster. */
  async #commit(transaction: Transaction): Promise<bigint | undefined> {
    if (transaction.operations.length === 0 && transaction.compare.length === 0) return NOTHING;
    try {
      const result = await this.#options.store.commit(transaction);
      if (result.kind === 'committed') return result.revision;
      this.#cache.learned(transaction, result.current);
      return undefined;
    } catch (error) {
      this.#cache.doubt(transaction);
      throw error;
    }
  }

  #remember(batch: Batch, { operations }: Transaction, revision: bigint): void {
    this.#cache.wrote(operations, revision);
    for (const [prefix, listing] of batch.listingsAfter(revision)) {
      this.#cache.setListing(prefix, listing);
    }
  }

  #read(batch: Batch, reads: ReadSet, wanted: Reads): Known | Promise<Known> {
    const { keys = [], prefixes = [], presumedAbsent = [], isHint = false } = wanted;
    if (!isHint && wanted.isGuess !== true) {
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

/** What does not concern them can wait for that. */
function answersAreSent(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Its caller cancelled, or its deadline passed. */
function isGone({ signal }: Job): boolean {
  return signal?.aborted === true;
}
