import type { CancelTimer, Clock } from '@calico/clock';

type Running = { deadline: number; firesAt: number; cancel: CancelTimer };

/**
 * Named timers. Setting one again usually only moves its deadline: the hold timer restarts with every
 * message, and timers of the operating system are dear at that rate.
 */
export class Timers {
  readonly #clock: Clock;
  readonly #expired: (name: string) => void;
  readonly #running = new Map<string, Running>();

  constructor(clock: Clock, expired: (name: string) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  set(name: string, delayMs: number): void {
    const deadline = this.#clock.monotonic() + delayMs;
    const running = this.#running.get(name);
    if (running !== undefined && running.firesAt <= deadline) {
      running.deadline = deadline;
      return;
    }
    running?.cancel();
    this.#arm(name, deadline, delayMs);
  }

  cancel(name: string): void {
    this.#running.get(name)?.cancel();
    this.#running.delete(name);
  }

  /** Cancels all whose name starts so; '' all. */
  cancelAll(prefix: string): void {
    for (const name of this.#running.keys()) if (name.startsWith(prefix)) this.cancel(name);
  }

  #arm(name: string, deadline: number, delayMs: number): void {
    const cancel = this.#clock.setTimer(delayMs, () => this.#fire(name));
    this.#running.set(name, { deadline, firesAt: deadline, cancel });
  }

  #fire(name: string): void {
    const running = this.#running.get(name);
    if (running === undefined) return;
    this.#running.delete(name);
    const left = running.deadline - this.#clock.monotonic();
    // Timers of the operating system may be early by a fraction of a millisecond.
    if (left >= 1) this.#arm(name, running.deadline, left);
    else this.#expired(name);
  }
}
