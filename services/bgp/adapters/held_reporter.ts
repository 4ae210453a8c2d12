import type { PeerStatus, Reporter } from '../ports.ts';

/** Holds the last report of each kind until there is somebody to tell. */
export class HeldReporter implements Reporter {
  #listener: Reporter | undefined;
  readonly #held = new Map<keyof Reporter, (listener: Reporter) => void>();

  /** Told what is held, and everything from now on. */
  tellTo(listener: Reporter): void {
    this.#listener = listener;
    for (const tell of this.#held.values()) tell(listener);
    this.#held.clear();
  }

  peers(peers: readonly PeerStatus[]): void {
    this.#tell('peers', (listener) => listener.peers(peers));
  }

  applied(revision: bigint, inSync: boolean): void {
    this.#tell('applied', (listener) => listener.applied(revision, inSync));
  }

  health(report: Parameters<Reporter['health']>[0]): void {
    this.#tell('health', (listener) => listener.health(report));
  }

  #tell(kind: keyof Reporter, tell: (listener: Reporter) => void): void {
    if (this.#listener === undefined) this.#held.set(kind, tell);
    else tell(this.#listener);
  }
}
