// Runs programs against the store: reads what they ask for, commits what they plan, and starts them
// afresh when another writer was faster. Alone, or in a group with others.
import type { Clock } from '@calico/clock';
import type { Entry } from '@calico/store';
import { type Known, outcomeOf, type Program, type Reads } from '../core/program.ts';
import type { Random, RecordStore } from '../ports.ts';
import { GroupCommit } from './group_commit.ts';
import { callOptions, MAX_ATTEMPTS, pauseAfter, readAll, tooOften } from './store_access.ts';

export type RunnerOptions = {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Called for each lost race. */
  readonly onConflict?: () => void;
};

export class ProgramRunner {
  readonly #options: RunnerOptions;
  readonly group: GroupCommit;

  constructor(options: RunnerOptions) {
    const { store, clock, random, onConflict = () => {} } = options;
    this.#options = options;
    this.group = new GroupCommit({
      store,
      clock,
      random,
      onConflict,
      runAlone: (start, signal) => this.run(start, signal),
    });
  }

  /**
   * Starts the program as often as it takes. `now` is in milliseconds since the epoch.
   * @throws IpamError from the program, or 'contended' after too many lost races
   * @throws StoreUnavailable
   */
  async run<T>(start: (now: number) => Program<T>, signal?: AbortSignal): Promise<T> {
    const { clock, store, random, onConflict } = this.#options;
    let fresh = new Map<string, Entry | undefined>();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      signal?.throwIfAborted();
      const plan = await this.#advance(start(clock.now()), fresh, signal);
      if (plan.transaction === undefined) return plan.value;
      const result = await store.commit(plan.transaction, callOptions(signal));
      if (result.kind === 'committed') return outcomeOf(plan, result.revision);
      onConflict?.();
      // What the store answered to the comparison is as good as reading it again.
      fresh = new Map(
        plan.transaction.compare.map(({ key }) => [key, result.current.get(key)] as const),
      );
      await clock.sleep(pauseAfter(attempt, random), signal);
    }
    throw tooOften(MAX_ATTEMPTS);
  }

  async #advance<T>(
    program: Program<T>,
    fresh: ReadonlyMap<string, Entry | undefined>,
    signal: AbortSignal | undefined,
  ) {
    let step = program.next();
    while (step.done !== true) step = program.next(await this.#read(step.value, fresh, signal));
    return step.value;
  }

  async #read(
    { keys = [], prefixes = [] }: Reads,
    fresh: ReadonlyMap<string, Entry | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<Known> {
    const missing = keys.filter((key) => !fresh.has(key));
    const found = await readAll(this.#options.store, { keys: missing, prefixes }, signal);
    const entries = new Map([
      ...keys.filter((key) => fresh.has(key)).map((key) => [key, fresh.get(key)] as const),
      ...found.entries,
    ]);
    return {
      get(key) {
        if (!entries.has(key)) throw new RangeError(`Cannot answer "${key}": it was not read`);
        return entries.get(key);
      },
      list(prefix) {
        const listing = found.listings.get(prefix);
        if (listing === undefined) {
          throw new RangeError(`Cannot answer "${prefix}": it was not read`);
        }
        return listing.entries;
      },
    };
  }
}
