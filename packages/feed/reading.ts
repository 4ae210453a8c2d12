import { setImmediate as turn } from 'node:timers/promises';

/** So long documents are read before others have their turn of the event loop. */
const TURN_MS = 4;

/**
 * Reads many documents without holding up the event loop. The first of a kind takes some milliseconds, as
 * its validator is made for it.
 */
export class Reading {
  #spentMs = 0;

  read<T>(document: () => T): T {
    const began = performance.now();
    try {
      return document();
    } finally {
      this.#spentMs += performance.now() - began;
    }
  }

  /** Between two documents. */
  async pause(): Promise<void> {
    if (this.#spentMs < TURN_MS) return;
    this.#spentMs = 0;
    await turn();
  }
}
