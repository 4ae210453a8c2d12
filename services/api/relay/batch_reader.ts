import type { Clock } from '@calico/clock';
import type { WatchBatch } from '@calico/store';

/** Reads a watch ahead, boundedly, so that what has piled up is relayed in one go. */
export class BatchReader {
  readonly #capacity: number;
  readonly #batches: WatchBatch[] = [];
  #failure: { readonly cause: unknown } | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  constructor(watch: AsyncIterable<WatchBatch>, capacity: number) {
    this.#capacity = capacity;
    void this.#fill(watch);
  }

  /** All that waits, or what comes first within `waitMs`, or nothing. Throws what the watch threw. */
  async take(clock: Clock, waitMs: number): Promise<readonly WatchBatch[]> {
    if (this.#batches.length === 0 && this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        const cancel = clock.setTimer(waitMs, resolve);
        this.#wakeReader = () => {
          cancel();
          resolve();
        };
      });
      this.#wakeReader = undefined;
    }
    const taken = this.#batches.splice(0);
    this.#wakeWriter?.();
    if (taken.length === 0 && this.#failure !== undefined) throw this.#failure.cause;
    return taken;
  }

  async #fill(watch: AsyncIterable<WatchBatch>): Promise<void> {
    try {
      for await (const batch of watch) {
        this.#batches.push(batch);
        this.#wakeReader?.();
        while (this.#batches.length >= this.#capacity) {
          await new Promise<void>((resolve) => {
            this.#wakeWriter = resolve;
          });
        }
      }
      this.#failure = { cause: new Error('Cannot follow etcd: the watch ended') };
    } catch (cause) {
      this.#failure = { cause };
    }
    this.#wakeReader?.();
  }
}
