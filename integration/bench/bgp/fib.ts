// How many routes are in a namespace's tables, as the kernel counts them: a dump would cost the machine
// more than the speakers do.
import { readFileSync } from 'node:fs';

/**
 * Between two looks so many times as long as the quickest has taken: one that others of the machine have
 * interrupted says nothing about what a look costs.
 */
const REST = 10;

export class Fib {
  readonly #file: string;
  /** Routes that were there before. */
  readonly base: number;

  /** @param pid a process in the namespace */
  constructor(pid: number) {
    this.#file = `/proc/${pid}/net/fib_triestat`;
    this.base = this.count();
  }

  count(): number {
    const numbers = readFileSync(this.#file, 'utf8').matchAll(/Prefixes:\s+([0-9]+)/g);
    return Math.max(0, ...Array.from(numbers, ([, digits]) => Number(digits)));
  }

  /** Resolves at the first look that satisfies. @throws the signal's reason */
  async until(isEnough: (added: number) => boolean, signal: AbortSignal): Promise<void> {
    for (let quickest = Number.POSITIVE_INFINITY; ; ) {
      const before = performance.now();
      if (isEnough(this.count() - this.base)) return;
      signal.throwIfAborted();
      quickest = Math.min(quickest, performance.now() - before);
      const rest = Math.round(quickest * REST);
      await new Promise((resolve) =>
        rest < 4 ? setImmediate(resolve) : setTimeout(resolve, rest),
      );
    }
  }
}
