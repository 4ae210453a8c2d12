// A piece of work that must succeed some time: at most one run at a time, backing off while it fails.
import type { CancelTimer, Clock } from '@calico/clock';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

export class RetryLoop {
  readonly #work: () => Promise<void>;
  readonly #clock: Clock;
  readonly #jitter: () => number;
  readonly #onFailure: (cause: unknown) => void;
  #delayMs = FIRST_DELAY_MS;
  #cancel: CancelTimer | undefined;
  #isRunning = false;
  #isAsked = false;
  #isStopped = false;

  constructor(parts: {
    readonly work: () => Promise<void>;
    readonly clock: Clock;
    /** 0 to 1. */
    readonly jitter: () => number;
    readonly onFailure: (cause: unknown) => void;
  }) {
    this.#work = parts.work;
    this.#clock = parts.clock;
    this.#jitter = parts.jitter;
    this.#onFailure = parts.onFailure;
  }

  /** Something has changed: run, or run once more after the present run. A back-off is kept. */
  ask(): void {
    this.#isAsked = true;
    if (!this.#isRunning && this.#cancel === undefined && !this.#isStopped) void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked && !this.#isStopped) {
      this.#isAsked = false;
      try {
        await this.#work();
        this.#delayMs = FIRST_DELAY_MS;
      } catch (cause) {
        this.#onFailure(cause);
        this.#isAsked = true;
        const delayMs = this.#delayMs * (0.75 + this.#jitter() / 2);
        this.#delayMs = Math.min(this.#delayMs * 2, LONGEST_DELAY_MS);
        this.#cancel = this.#clock.setTimer(delayMs, () => {
          this.#cancel = undefined;
          void this.#run();
        });
        break;
      }
    }
    this.#isRunning = false;
  }
}
