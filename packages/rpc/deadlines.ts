// Time limits of calls. Nearly every call is over long before its limit, so that one timer, set for the
// earliest when it was set, serves them all: setting and clearing one each costs more than its frames.

export type Deadline = {
  /** `performance.now()` */
  readonly at: number;
  readonly onLate: () => void;
};

/** Longer than a timer can be set. */
const LONGEST_MS = 2 ** 31 - 1;

export class Deadlines {
  readonly #open = new Set<Deadline>();
  #timer: NodeJS.Timeout | undefined;
  #wakesAt = Number.POSITIVE_INFINITY;

  /** Calls `onLate` once after so many milliseconds, unless it is removed before. Keeps no process alive. */
  add(afterMs: number, onLate: () => void): Deadline {
    const deadline = { at: performance.now() + afterMs, onLate };
    this.#open.add(deadline);
    if (deadline.at < this.#wakesAt) this.#wakeAt(deadline.at);
    return deadline;
  }

  remove(deadline: Deadline | undefined): void {
    if (deadline !== undefined) this.#open.delete(deadline);
  }

  #wakeAt(at: number): void {
    clearTimeout(this.#timer);
    this.#wakesAt = at;
    const waitMs = Math.max(1, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => this.#look(), Math.min(waitMs, LONGEST_MS));
    this.#timer.unref();
  }

  #look(): void {
    this.#wakesAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    const late = [...this.#open].filter(({ at }) => at <= now);
    try {
      for (const deadline of late) {
        // One that was called before it may have removed it.
        if (this.#open.delete(deadline)) deadline.onLate();
      }
    } finally {
      // What is late still, because one before it threw, has its turn at once.
      let earliest = Number.POSITIVE_INFINITY;
      for (const { at } of this.#open) earliest = Math.min(earliest, at);
      if (earliest < this.#wakesAt) this.#wakeAt(earliest);
    }
  }
}

/** Those of this process. */
export const deadlines = new Deadlines();
