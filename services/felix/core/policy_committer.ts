// Many changes, few transactions: whoever asks while a commit is under way is served by the next. Nobody waits for ever:
// a commit that hangs fails those who wait for it, and those who come later.
import type { Clock } from '@calico/clock';
import type { PacketFilter, PolicyInputs } from '../ports.ts';

/** Longer than the packet filter itself waits for a listing, shorter than callers of ADD wait. */
const PATIENCE_MS = 15_000;

type Waiter = { readonly resolve: () => void; readonly reject: (cause: unknown) => void };

export class PolicyCommitter {
  readonly #filter: Pick<PacketFilter, 'apply'>;
  readonly #inputs: () => PolicyInputs | undefined;
  readonly #clock: Clock;
  #waiting: Waiter[] = [];
  #isRunning = false;

  /** `inputs` is read when a commit starts; undefined: nothing is known yet, so nothing is done. */
  constructor(
    filter: Pick<PacketFilter, 'apply'>,
    inputs: () => PolicyInputs | undefined,
    clock: Clock,
  ) {
    this.#filter = filter;
    this.#inputs = inputs;
    this.#clock = clock;
  }

  /** Resolves when a commit that began after this call has ended; rejects when it failed or takes too long. */
  commit(): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.setTimer(PATIENCE_MS, () => {
        const seconds = PATIENCE_MS / 1000;
        reject(new Error(`Cannot commit policy: no answer of the packet filter for ${seconds} s`));
      });
      this.#waiting.push({
        resolve: () => {
          cancel();
          resolve();
        },
        reject: (cause) => {
          cancel();
          reject(cause);
        },
      });
      if (!this.#isRunning) {
        this.#isRunning = true;
        // One turn later, so that changes made in the same turn share the transaction.
        queueMicrotask(() => void this.#run());
      }
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const served = this.#waiting;
      this.#waiting = [];
      try {
        const inputs = this.#inputs();
        if (inputs !== undefined) await this.#filter.apply(inputs);
        for (const waiter of served) waiter.resolve();
      } catch (cause) {
        for (const waiter of served) waiter.reject(cause);
      }
    }
    this.#isRunning = false;
  }
}
