// Routes that could not be written, and why. Each is tried again by itself, less and less often: what stands in its
// way may stay for good, and the rest of the kernel need not be read for it.
import type { PrefixTable } from '../rib/prefix_table.ts';

const FIRST_MS = 3_000;
const LAST_MS = 30_000;
/** Routes that are looked at, whether they are due, at a time: about a millisecond. */
const SLICE = 8_192;

/** On a clock that never goes back. */
type Pace = { dueAt: number; restMs: number };

export class Failures {
  readonly #prefixes: PrefixTable;
  /** By the prefix's number: held. */
  readonly #texts = new Map<number, string>();
  readonly #paces = new Map<number, Pace>();
  /** None is due before. */
  #dueAt = Infinity;
  /** When takeDue() was asked last. */
  #askedAt = 0;

  constructor(prefixes: PrefixTable) {
    this.#prefixes = prefixes;
  }

  get texts(): ReadonlyMap<number, string> {
    return this.#texts;
  }

  /** The route could not be written, again or for the first time. */
  note(id: number, text: string): void {
    if (!this.#texts.has(id)) {
      this.#prefixes.retain(id);
      const dueAt = this.#askedAt + FIRST_MS;
      this.#paces.set(id, { dueAt, restMs: FIRST_MS });
      this.#dueAt = Math.min(this.#dueAt, dueAt);
    }
    this.#texts.set(id, text);
  }

  forget(id: number): void {
    this.#paces.delete(id);
    if (this.#texts.delete(id)) this.#prefixes.release(id);
  }

  /** To be asked every now and then. Prefixes whose routes are to be tried again now, a slice at a time. */
  *takeDue(now: number): Generator<readonly number[], void, undefined> {
    this.#askedAt = now;
    if (now < this.#dueAt) return;
    this.#dueAt = Infinity;
    let due: number[] = [];
    let looked = 0;
    for (const [id, pace] of this.#paces) {
      if (pace.dueAt <= now) {
        due.push(id);
        pace.restMs = Math.min(pace.restMs * 2, LAST_MS);
        pace.dueAt = now + pace.restMs;
      }
      this.#dueAt = Math.min(this.#dueAt, pace.dueAt);
      if (++looked % SLICE !== 0) continue;
      yield due;
      due = [];
    }
    yield due;
  }
}
