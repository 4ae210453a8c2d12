// Many changes, few transactions: whoever asks while a commit is under way is served by the next.
import type { PacketFilter, PolicyInputs } from '../ports.ts';

type Waiter = { readonly resolve: () => void; readonly reject: (cause: unknown) => void };

export class PolicyCommitter {
  readonly #filter: Pick<PacketFilter, 'apply'>;
  readonly #inputs: () => PolicyInputs | undefined;
  #waiting: Waiter[] = [];
  #isRunning = false;

  /** `inputs` is read when a commit starts; undefined: nothing is known yet, so nothing is done. */
  constructor(filter: Pick<PacketFilter, 'apply'>, inputs: () => PolicyInputs | undefined) {
    this.#filter = filter;
    this.#inputs = inputs;
  }

  /** Resolves when a commit that began after this call has ended; rejects when it failed. */
  commit(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
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
