// Runs programs against the store: reads what they ask for, commits what they plan, and starts them
// afresh when another writer was faster.
import type { Clock } from '@calico/clock';
import type { Entry, Listing } from '@calico/store';
import { IpamError } from '../core/ipam_error.ts';
import type { Known, Program, Reads } from '../core/program.ts';
import type { Random, RecordStore } from '../ports.ts';

export type RunnerOptions = {
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Called for each lost race. */
  readonly onConflict?: () => void;
};

const MAX_ATTEMPTS = 60;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;
const PAGE = 500;

export class ProgramRunner {
  readonly #options: RunnerOptions;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /**
   * Starts the program as often as it takes. `now` is in milliseconds since the epoch.
   * @throws IpamError from the program, or 'contended' after too many lost races
   * @throws StoreUnavailable
   */
  async run<T>(start: (now: number) => Program<T>, signal?: AbortSignal): Promise<T> {
    const { clock, store, onConflict } = this.#options;
    let fresh = new Map<string, Entry | undefined>();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      signal?.throwIfAborted();
      const plan = await this.#advance(start(clock.now()), fresh, signal);
      if (plan.transaction === undefined) return plan.value;
      const result = await store.commit(plan.transaction, callOptions(signal));
      if (result.kind === 'committed') return plan.value;
      onConflict?.();
      // What the store answered to the comparison is as good as reading it again.
      fresh = new Map(
        plan.transaction.compare.map(({ key }) => [key, result.current.get(key)] as const),
      );
      await clock.sleep(this.#pause(attempt), signal);
    }
    throw new IpamError(
      'contended',
      `Cannot change the records: ${MAX_ATTEMPTS} times another writer was faster; try again`,
    );
  }

  async #advance<T>(
    program: Program<T>,
    fresh: ReadonlyMap<string, Entry | undefined>,
    signal: AbortSignal | undefined,
  ) {
    let step = program.next();
    while (step.done !== true) {
      const answers = await this.#read(step.value, fresh, signal);
      step = program.next(answers);
    }
    return step.value;
  }

  async #read(
    { keys = [], prefixes = [] }: Reads,
    fresh: ReadonlyMap<string, Entry | undefined>,
    signal: AbortSignal | undefined,
  ): Promise<Known> {
    const { store } = this.#options;
    const entries = new Map<string, Entry | undefined>();
    const listings = new Map<string, readonly Entry[]>();
    await Promise.all([
      ...[...new Set(keys)].map(async (key) => {
        entries.set(
          key,
          fresh.has(key) ? fresh.get(key) : await store.get(key, callOptions(signal)),
        );
      }),
      ...[...new Set(prefixes)].map(async (prefix) => {
        listings.set(prefix, await this.#listAll(prefix, signal));
      }),
    ]);
    return {
      get(key) {
        if (!entries.has(key)) throw new RangeError(`Cannot answer "${key}": it was not read`);
        return entries.get(key);
      },
      list(prefix) {
        const found = listings.get(prefix);
        if (found === undefined) throw new RangeError(`Cannot answer "${prefix}": it was not read`);
        return found;
      },
    };
  }

  async #listAll(prefix: string, signal: AbortSignal | undefined): Promise<readonly Entry[]> {
    const { store } = this.#options;
    const first = await store.list(prefix, { limit: PAGE, ...callOptions(signal) });
    const entries = [...first.entries];
    let page: Listing = first;
    while (page.more) {
      const after = entries.at(-1)?.key;
      if (after === undefined) break;
      page = await store.list(prefix, {
        limit: PAGE,
        after,
        revision: first.revision,
        ...callOptions(signal),
      });
      entries.push(...page.entries);
    }
    return entries;
  }

  #pause(attempt: number): number {
    const limit = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
    return limit * this.#options.random();
  }
}

function callOptions(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
