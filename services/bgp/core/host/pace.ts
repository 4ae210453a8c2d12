// How many prefixes are decided on at a time: as many as fit into a part of a turn. Cold code needs twenty
// times as long for one as compiled code, and so does a machine with other work.

/** So long one piece of work may take. */
const AIM_MS = 4;
const LEAST = 256;
const MOST = 2_048;
const FIRST = 512;

export class Pace {
  #slice = FIRST;

  /** Prefixes for the next piece. */
  get slice(): number {
    return this.#slice;
  }

  /** @param isFull the piece was not all that there was to do: a small one says little */
  learn(tookMs: number, isFull: boolean): void {
    if (tookMs > AIM_MS) this.#slice = Math.max(LEAST, this.#slice / 2);
    else if (isFull && tookMs < AIM_MS / 2) this.#slice = Math.min(MOST, this.#slice * 2);
  }
}
