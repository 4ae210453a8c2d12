// Keeps each turn of the event loop short: work that does not fit goes on in the next one, after
// timers and other connections have had theirs. One for all who put work off: slices of different
// workers, each short enough, would add up to a turn that is not.
import type { Clock } from '@calico/clock';

/** Longest time of a turn before it is given up; what is begun is finished. */
const TURN_MS = 5;
/** Whoever begins later would not be done in time. */
const READING_MS = 3;

/** Calls back once, after what is waiting now. */
export type Defer = (callback: () => void) => void;

export class Turns {
  readonly #clock: Clock;
  readonly #nextTurn: Defer;
  /** In the order in which it was put off. */
  readonly #work: (() => void)[] = [];
  #startedAt: number | undefined;

  /** @param nextTurn by default a timer without delay */
  constructor(clock: Clock, nextTurn: Defer = (callback) => void clock.setTimer(0, callback)) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  /** Whether this turn's time is used up. */
  get isOver(): boolean {
    return this.#spentMs >= TURN_MS;
  }

  /** Whether what is left is needed for what follows from what was read. */
  get isReadingOver(): boolean {
    return this.#spentMs >= READING_MS;
  }

  /** As isReadingOver, for who has so many milliseconds from now on even if others have used the turn up. */
  atLeast(ownMs: number): () => boolean {
    const end = this.#clock.monotonic() + ownMs;
    return () => this.isReadingOver && this.#clock.monotonic() >= end;
  }

  get #spentMs(): number {
    return this.#clock.monotonic() - this.begin();
  }

  /** Work begins that is part of this turn, unless some has begun before. When that was. */
  begin(): number {
    if (this.#startedAt === undefined) {
      this.#startedAt = this.#clock.monotonic();
      this.#nextTurn(() => this.#end());
    }
    return this.#startedAt;
  }

  /** Puts work off to the next turn, or to a later one: first comes first. */
  readonly defer: Defer = (callback) => {
    this.#work.push(callback);
    this.begin();
  };

  /** What waits has what is left of the turn, but something is always done; what it puts off is for the next. */
  #end(): void {
    try {
      for (let count = this.#work.length; count > 0; count--) {
        this.#work.shift()?.();
        if (this.isReadingOver) break;
      }
    } finally {
      this.#startedAt = undefined;
      if (this.#work.length > 0) this.begin();
    }
  }
}
