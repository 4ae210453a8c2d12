// Several sources, one reader: a bounded queue that holds writers back when it is full.
export class SourceQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  readonly #writers: (() => void)[] = [];
  #reader: (() => void) | undefined;
  #ended = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when there was room; false when the queue has ended. */
  async push(item: T): Promise<boolean> {
    while (!this.#ended && this.#items.length >= this.#capacity) {
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    }
    if (this.#ended) return false;
    this.#items.push(item);
    this.#reader?.();
    return true;
  }

  /** What is still in the queue is dropped. */
  end(): void {
    this.#ended = true;
    this.#items.length = 0;
    for (const wake of this.#writers.splice(0)) wake();
    this.#reader?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    while (!this.#ended) {
      const items = this.#items.splice(0);
      for (const wake of this.#writers.splice(0)) wake();
      if (items.length === 0) {
        await new Promise<void>((resolve) => {
          this.#reader = resolve;
        });
        this.#reader = undefined;
      }
      for (const item of items) {
        if (this.#ended) return;
        yield item;
      }
    }
  }
}
