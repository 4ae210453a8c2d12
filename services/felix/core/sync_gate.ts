// Lets callers wait for the first complete snapshot of the cluster.
import type { Clock } from '@calico/clock';
import { WorkloadError } from './workload_error.ts';

export class SyncGate {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  #isOpen = false;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Throws `unavailable` when it takes too long. */
  async pass(): Promise<void> {
    if (this.#isOpen) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const cancel = this.#clock.setTimer(this.#patienceMs, wake);
      this.#waiting.add(wake);
    });
    if (!this.#isOpen) {
      throw new WorkloadError(
        'unavailable',
        "Cannot connect a pod: the cluster's policies are not known yet, neither NATS nor api has answered",
      );
    }
  }
}
