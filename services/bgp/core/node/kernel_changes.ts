// What has changed in the kernel, until it is looked at: what belongs together arrives within a short time.
import type { CancelTimer, Clock } from '@calico/clock';

const SETTLING_MS = 20;
/** Between two looks that our own routes ask for: the answer may change the very route that asked. */
const OWN_MS = 1_000;

export class KernelChanges {
  readonly #clock: Clock;
  readonly #onSettled: (isToBeRead: boolean) => void;
  #isToBeRead = false;
  #cancel: CancelTimer | undefined;
  #cancelOwn: CancelTimer | undefined;
  #ownSince: number | undefined;
  #isStopped = false;

  /** @param onSettled told whether our routes may not be there as they were written */
  constructor(clock: Clock, onSettled: (isToBeRead: boolean) => void) {
    this.#clock = clock;
    this.#onSettled = onSettled;
  }

  /** Others have changed something. @param isToBeRead more than ways to next hops */
  take(isToBeRead: boolean): void {
    if (this.#isStopped) return;
    this.#isToBeRead ||= isToBeRead;
    this.#cancel ??= this.#clock.setTimer(SETTLING_MS, () => {
      this.#cancel = undefined;
      this.#onSettled(this.#isToBeRead);
    });
  }

  /** A route of ours has changed that next hops or peers may be reached by. */
  takeOwn(): void {
    if (this.#isStopped) return;
    const now = this.#clock.monotonic();
    const restMs = this.#ownSince === undefined ? 0 : this.#ownSince + OWN_MS - now;
    this.#cancelOwn ??= this.#clock.setTimer(Math.max(0, restMs), () => {
      this.#cancelOwn = undefined;
      this.#ownSince = this.#clock.monotonic();
      this.take(false);
    });
  }

  /** All is read now. */
  read(): void {
    this.#isToBeRead = false;
  }

  /** For good: whoever tells of changes may still do so. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancelOwn?.();
  }
}
