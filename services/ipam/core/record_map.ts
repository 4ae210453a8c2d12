// Records in memory, for tests and simulations of programs: they are run step by step, so that any
// interleaving can be played through without a store, a clock or a network.
import {
  type Entry,
  type Known,
  outcomeOf,
  type Plan,
  type Program,
  type Reads,
  type Transaction,
} from './program.ts';

export class RecordMap {
  readonly #entries = new Map<string, Entry>();
  #revision = 1n;

  get revision(): bigint {
    return this.#revision;
  }

  /** Key to value, sorted by key. */
  get values(): ReadonlyMap<string, string> {
    const sorted = [...this.#entries.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    return new Map(sorted.map(({ key, value }) => [key, value]));
  }

  put(key: string, value: string): void {
    this.#entries.set(key, { key, value, modRevision: ++this.#revision });
  }

  delete(key: string): void {
    this.#revision++;
    this.#entries.delete(key);
  }

  read({ keys = [], prefixes = [] }: Reads): Known {
    const known = new Map(keys.map((key) => [key, this.#entries.get(key)]));
    const listed = new Map(
      prefixes.map((prefix) => [
        prefix,
        [...this.#entries.values()]
          .filter(({ key }) => key.startsWith(prefix))
          .toSorted((a, b) => (a.key < b.key ? -1 : 1)),
      ]),
    );
    return {
      get: (key) => {
        if (!known.has(key)) throw new RangeError(`"${key}" was not read`);
        return known.get(key);
      },
      list: (prefix) => {
        const found = listed.get(prefix);
        if (found === undefined) throw new RangeError(`"${prefix}" was not read`);
        return found;
      },
    };
  }

  /** Whether every comparison held. */
  commit({ compare, unchanged = [], operations }: Transaction): boolean {
    const isCurrent = compare.every(
      ({ key, modRevision }) => (this.#entries.get(key)?.modRevision ?? 0n) === modRevision,
    );
    const isUnchanged = unchanged.every(({ prefix, since }) =>
      [...this.#entries.values()].every(
        ({ key, modRevision }) => !key.startsWith(prefix) || modRevision <= since,
      ),
    );
    if (!isCurrent || !isUnchanged) return false;
    if (operations.length === 0) return true;
    const modRevision = ++this.#revision;
    for (const operation of operations) {
      if (operation.kind === 'delete') this.#entries.delete(operation.key);
      else {
        const { key, value } = operation;
        this.#entries.set(key, { key, value, modRevision });
      }
    }
    return true;
  }

  /** Runs a program alone, to its end. */
  run<T>(program: Program<T>): T {
    const running = new RunningProgram(this, () => program);
    while (!running.isDone) running.step();
    return running.value;
  }
}

/** A program that is advanced one read or one commit at a time, and starts afresh after a lost race. */
export class RunningProgram<T> {
  readonly #records: RecordMap;
  readonly #start: () => Program<T>;
  #program: Program<T>;
  #answer: Known | undefined;
  #plan: Plan<T> | undefined;
  isDone = false;
  conflicts = 0;

  constructor(records: RecordMap, start: () => Program<T>) {
    this.#records = records;
    this.#start = start;
    this.#program = start();
  }

  get value(): T {
    if (this.#plan === undefined || !this.isDone) throw new RangeError('the program still runs');
    return outcomeOf(this.#plan, this.#records.revision);
  }

  /** The next step is the commit. */
  get isPlanned(): boolean {
    return this.#plan !== undefined;
  }

  step(): void {
    if (this.#plan === undefined) {
      const next =
        this.#answer === undefined ? this.#program.next() : this.#program.next(this.#answer);
      if (next.done === true) this.#plan = next.value;
      else this.#answer = this.#records.read(next.value);
      if (this.#plan !== undefined && this.#plan.transaction === undefined) this.isDone = true;
      return;
    }
    const { transaction } = this.#plan;
    if (transaction === undefined || this.#records.commit(transaction)) {
      this.isDone = true;
      return;
    }
    this.conflicts++;
    this.#plan = undefined;
    this.#answer = undefined;
    this.#program = this.#start();
  }
}
