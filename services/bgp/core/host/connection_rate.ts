// A peer whose connections come faster than this is broken, or is not the peer.
/** So many at once; then one as often as this. A peer that dials anew needs two within a second. */
const BURST = 10;
const EVERY_MS = 1_000;

export class ConnectionRate {
  /** When a peer's whole burst will be there again. */
  readonly #fullAt = new Map<string, number>();

  /** Whether another connection of the peer may be looked at. @param now milliseconds */
  allows(peer: string, now: number): boolean {
    const fullAt = Math.max(now, this.#fullAt.get(peer) ?? now) + EVERY_MS;
    if (fullAt - now > BURST * EVERY_MS) return false;
    this.#fullAt.set(peer, fullAt);
    return true;
  }

  forget(peer: string): void {
    this.#fullAt.delete(peer);
  }
}
