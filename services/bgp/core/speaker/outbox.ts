import { type Completeness, isOutside } from './completeness.ts';
import type { SpeakerEffect } from './events.ts';
import { nextBatch } from './outbound.ts';
import type { Peer } from './peer.ts';

/** Knows whom there may be something to send to, so that one event does not cost a look at every peer. */
export class Outbox {
  /** Something has happened to these. */
  readonly #eventful = new Set<Peer>();
  /** There may be something for anybody. */
  #isForAll = false;
  #complete: Completeness = { inside: false, outside: false };

  noteEvent(peer: Peer): void {
    this.#eventful.add(peer);
  }

  noteForAll(): void {
    this.#isForAll = true;
  }

  forget(peer: Peer): void {
    this.#eventful.delete(peer);
  }

  /** @param complete whose table is, for who has not heard its end yet */
  batches(peers: Iterable<Peer>, complete: Completeness): SpeakerEffect[] {
    const { inside, outside } = this.#complete;
    const isForAll = this.#isForAll || complete.inside !== inside || complete.outside !== outside;
    const meant = isForAll ? peers : [...this.#eventful];
    this.#isForAll = false;
    this.#complete = complete;
    this.#eventful.clear();
    const batches: SpeakerEffect[] = [];
    for (const peer of meant) {
      const batch = nextBatch(peer, isOutside(peer.config) ? complete.outside : complete.inside);
      if (batch !== undefined) batches.push(batch);
    }
    return batches;
  }
}
