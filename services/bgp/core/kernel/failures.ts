// Routes that could not be written, and why. They are tried again by themselves, less and less often: what stands
// in their way may stay for good, and the rest of the kernel need not be read for it.
import type { PrefixTable } from '../rib/prefix_table.ts';

const FIRST_MS = 3_000;
const LAST_MS = 30_000;

export class Failures {
  readonly #prefixes: PrefixTable;
  /** By the prefix's number: held. */
  readonly #texts = new Map<number, string>();
  #restMs = FIRST_MS;
  #dueAt: number | undefined;

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
      this.#restMs = FIRST_MS;
      this.#dueAt = undefined;
    }
    this.#texts.set(id, text);
  }

  forget(id: number): void {
    if (this.#texts.delete(id)) this.#prefixes.release(id);
  }

  /** To be asked every now and then. @returns prefixes whose routes are to be tried again now */
  takeDue(now: number): readonly number[] {
    if (this.#texts.size === 0) return [];
    this.#dueAt ??= now + this.#restMs;
    if (now < this.#dueAt) return [];
    this.#restMs = Math.min(this.#restMs * 2, LAST_MS);
    this.#dueAt = now + this.#restMs;
    return [...this.#texts.keys()];
  }
}
