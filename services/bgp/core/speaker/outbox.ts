import type { SpeakerEffect } from './events.ts';
import { nextBatch } from './outbound.ts';
import type { Peer } from './peer.ts';

/** Knows whom there may be something to send to, so that one event does not cost a look at every peer. */
export class Outbox {
  /** Something has happened to these. */
  readonly #eventful = new Set<Peer>();
  /** There may be something for anybody. */
  #isForAll = false;
  #mayEndRib = false;

  noteEvent(peer: Peer): void {
    this.#eventful.add(peer);
  }

  noteForAll(): void {
    this.#isForAll = true;
  }

  forget(peer: Peer): void {
    this.#eventful.delete(peer);
  }

  /** @param mayEndRib whether the table is complete, for who has not heard its end yet */
  batches(peers: Iterable<Peer>, mayEndRib: boolean): SpeakerEffect[] {
    const isForAll = this.#isForAll || mayEndRib !== this.#mayEndRib;
    const meant = isForAll ? peers : [...this.#eventful];
    this.#isForAll = false;
    this.#mayEndRib = mayEndRib;
    this.#eventful.clear();
    const batches: SpeakerEffect[] = [];
    for (const peer of meant) {
      const batch = nextBatch(peer, mayEndRib);
      if (batch !== undefined) batches.push(batch);
    }
    return batches;
  }
}
