// Keeps each turn of the event loop short: work that does not fit goes on in the next one, after
// timers and other connections have had theirs.
import type { Clock } from '@calico/clock';

/** Longest time of a turn before it is given up; what is begun is finished. */
const TURN_MS = 8;
const READING_MS = 4;

/** Calls back once, after what is waiting now. */
export type Defer = (callback: () => void) => void;

export class Turns {
  readonly #clock: Clock;
  readonly #defer: Defer;
  readonly #resume: () => void;
  #startedAt: number | undefined;
  #isWanted = false;
  #isStopped = false;

  /** @param resume goes on with the work */
  constructor(clock: Clock, defer: Defer | undefined, resume: () => void) {
    this.#clock = clock;
    this.#defer = defer ?? ((callback) => void clock.setTimer(0, callback));
    this.#resume = resume;
  }

  /** Whether this turn's time is used up. */
  get isOver(): boolean {
    return this.#spentMs >= TURN_MS;
  }

  /** Whether what is left is needed for what follows from what was read. */
  get isReadingOver(): boolean {
    return this.#spentMs >= READING_MS;
  }

  get #spentMs(): number {
    return this.#clock.monotonic() - this.begin();
  }

  /** Work begins that is part of this turn, unless some has begun before. When that was. */
  begin(): number {
    if (this.#startedAt === undefined) {
      this.#startedAt = this.#clock.monotonic();
      this.#next();
    }
    return this.#startedAt;
  }

  /** Asks for another turn. */
  request(): void {
    this.#isWanted = true;
    this.begin();
  }

  stop(): void {
    this.#isStopped = true;
  }

  #next(): void {
    this.#defer(() => {
      this.#startedAt = undefined;
      const isWanted = this.#isWanted;
      this.#isWanted = false;
      if (isWanted && !this.#isStopped) this.#resume();
    });
  }
}
