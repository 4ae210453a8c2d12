import type { CancelTimer, Clock } from './clock.ts';
import { type HeapTimer, TimerHeap } from './timer_heap.ts';

type Pending = HeapTimer & { readonly callback: () => void };

/** A clock that stands still until `advance()`. Timers due fire in order of time, then of creation. */
export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  readonly #pending = new Set<Pending>();
  readonly #queue = new TimerHeap<Pending>();

  constructor(now = 0) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): CancelTimer {
    const timer: Pending = { at: this.#now + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(timer);
    this.#queue.add(timer);
    return () => this.#pending.delete(timer);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const abort = (): void => {
        cancel();
        reject(signal?.reason);
      };
      const cancel = this.setTimer(delayMs, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Moves time on; timers that fall due fire at their own time, also those set meanwhile. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (let next = this.#queue.first; next !== undefined; next = this.#queue.first) {
      if (next.at > end) break;
      this.#queue.removeFirst();
      // A cancelled timer stays in the queue until its turn comes.
      if (!this.#pending.delete(next)) continue;
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
}
