import type { HealthReport, PeerStatus, Reporter } from '../ports.ts';

/**
 * Holds the last report of each kind until there is somebody to tell, and then tells one per turn of the
 * event loop: the first of a kind takes the bus some milliseconds.
 */
export class HeldReporter implements Reporter {
  #listener: Reporter | undefined;
  readonly #held = new Map<keyof Reporter, (listener: Reporter) => void>();
  #isTelling = false;

  /** Told what is held, and everything from now on. */
  tellTo(listener: Reporter): void {
    this.#listener = listener;
    this.#tellSoon();
  }

  peers(peers: readonly PeerStatus[]): void {
    this.#hold('peers', (listener) => listener.peers(peers));
  }

  applied(revision: bigint, inSync: boolean): void {
    this.#hold('applied', (listener) => listener.applied(revision, inSync));
  }

  health(report: HealthReport): void {
    this.#hold('health', (listener) => listener.health(report));
  }

  #hold(kind: keyof Reporter, tell: (listener: Reporter) => void): void {
    this.#held.set(kind, tell);
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#isTelling || this.#listener === undefined || this.#held.size === 0) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      this.#tellNext();
      this.#tellSoon();
    });
  }

  #tellNext(): void {
    const [next] = this.#held;
    if (next === undefined || this.#listener === undefined) return;
    const [kind, tell] = next;
    this.#held.delete(kind);
    tell(this.#listener);
  }
}
