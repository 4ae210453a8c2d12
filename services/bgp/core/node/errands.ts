// What clients of this process ask for, where it takes longer than a turn of the event loop has: done bit by bit, first
// comes first for each client, and clients in turn.
import { Later } from '../host/later.ts';
import type { Turns } from '../host/turns.ts';

/** Pauses after each step, which is short: a route, or a few hundred that are put into the table together. */
export type Steps<T> = Generator<void, T, undefined>;

const LEAST_MS = 1;

type Errand = {
  /** Whether that was the last one. */
  readonly step: () => boolean;
  readonly fail: (cause: unknown) => void;
};

export class Errands {
  readonly #turns: Turns;
  readonly #soon: Later;
  /** The first of these is who has waited longest. */
  readonly #waiting = new Map<string, Errand[]>();

  constructor(turns: Turns) {
    this.#turns = turns;
    this.#soon = new Later(turns.defer, () => this.#work());
  }

  /** Begins at once where nothing else waits: what is small is done before this returns. Rejects with what a step throws. */
  run<T>(client: string, steps: Steps<T>): Promise<T> {
    return new Promise((resolve, fail) => {
      const step = (): boolean => {
        const { done = false, value } = steps.next();
        if (done) resolve(value as T);
        return done;
      };
      const isFirst = this.#waiting.size === 0;
      const queue = this.#waiting.get(client) ?? [];
      queue.push({ step, fail });
      this.#waiting.set(client, queue);
      if (isFirst && !this.#turns.isReadingOver) this.#work();
      else this.#soon.ask();
    });
  }

  /** For as long as the turn has time, but some in any case: who waits for an answer has not for ever. */
  #work(): void {
    const isOver = this.#turns.atLeast(LEAST_MS);
    do {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const [client, queue] = next;
      if (this.#isDone(queue[0] as Errand)) queue.shift();
      this.#waiting.delete(client);
      if (queue.length > 0) this.#waiting.set(client, queue);
    } while (!isOver());
    if (this.#waiting.size > 0) this.#soon.ask();
  }

  #isDone({ step, fail }: Errand): boolean {
    try {
      return step();
    } catch (cause) {
      fail(cause);
      return true;
    }
  }
}
