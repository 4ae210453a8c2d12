// Keeps an outside system as it is wanted, whatever happens to it.
//
//   changed() ---+
//   retry timer -+--> list --> diff --> (drop removals until in sync) --> apply --> onResult
//   resync timer-+
import type { Clock } from '@calico/clock';
import { Backoff } from './backoff.ts';
import { apply, type Change, diff, type Failure, type Target } from './reconcile.ts';

export type Desired<K, V> = {
  readonly entries: ReadonlyMap<K, V>;
  /** The newest revision that `entries` takes into account. */
  readonly revision: bigint;
  /** False while the wish is incomplete: then nothing is removed. */
  readonly inSync: boolean;
};

export type Result<K, V> =
  /** The outside system is as wanted at `revision`; without removals unless `inSync`. */
  | {
      readonly kind: 'reconciled';
      readonly revision: bigint;
      readonly inSync: boolean;
      readonly changes: readonly Change<K, V>[];
    }
  /** Some changes failed; the others are made. */
  | {
      readonly kind: 'failed';
      readonly revision: bigint;
      readonly failures: readonly Failure<K, V>[];
      readonly retryInMs: number;
    }
  /** The actual state could not be read; nothing was changed. */
  | { readonly kind: 'unreadable'; readonly cause: unknown; readonly retryInMs: number };

export type LoopOptions<K, V> = {
  readonly target: Target<K, V>;
  /** The wish of the moment. Pure; what it throws ends the loop. */
  readonly desired: () => Desired<K, V>;
  readonly same: (a: V, b: V) => boolean;
  readonly onResult: (result: Result<K, V>) => void;
  readonly clock: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number;
  /** Longest time between two looks at the outside system. Default 90,000. */
  readonly resyncMs?: number;
  /** Delays of retries. Default 100 to 10,000. */
  readonly retryMinMs?: number;
  readonly retryMaxMs?: number;
};

export class ReconcileLoop<K, V> {
  readonly #options: LoopOptions<K, V>;
  readonly #backoff: Backoff;
  #isAsked = true;
  #wake: () => void = () => {};

  constructor(options: LoopOptions<K, V>) {
    const { retryMinMs: minMs = 100, retryMaxMs: maxMs = 10_000, random } = options;
    this.#options = options;
    this.#backoff = new Backoff({ minMs, maxMs, random });
  }

  /** The wish or the outside system changed: look again. Many calls make one pass. */
  changed(): void {
    this.#isAsked = true;
    this.#wake();
  }

  /** Runs until the signal aborts; the pass under way is finished first. The first pass is at once. */
  async run(signal: AbortSignal): Promise<void> {
    const abort = (): void => this.#wake();
    signal.addEventListener('abort', abort);
    try {
      while (!signal.aborted) {
        this.#isAsked = false;
        const waitMs = await this.#pass();
        if (!signal.aborted && !this.#isAsked) await this.#wait(waitMs);
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** One pass; answers how long to wait for the next. */
  async #pass(): Promise<number> {
    const { target, desired, same, onResult, resyncMs = 90_000 } = this.#options;
    let actual: ReadonlyMap<K, V>;
    try {
      actual = await target.list();
    } catch (cause) {
      const retryInMs = this.#backoff.next();
      onResult({ kind: 'unreadable', cause, retryInMs });
      return retryInMs;
    }
    const { entries, revision, inSync } = desired();
    const changes = diff(entries, actual, same).filter(({ kind }) => inSync || kind === 'put');
    const failures = await apply(changes, target);
    if (failures.length > 0) {
      const retryInMs = Math.min(this.#backoff.next(), resyncMs);
      onResult({ kind: 'failed', revision, failures, retryInMs });
      return retryInMs;
    }
    this.#backoff.reset();
    onResult({ kind: 'reconciled', revision, inSync, changes });
    return resyncMs;
  }

  async #wait(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const cancel = this.#options.clock.setTimer(delayMs, resolve);
    await promise;
    cancel();
    this.#wake = () => {};
  }
}
