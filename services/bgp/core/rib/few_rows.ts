// Rows of a source that have come into a state, such as being stale. While they are few they need not be looked
// for among all rows of the source: a peer may ask for those in a state as often as it likes.
import { FAMILIES, type Family } from '@calico/ip';

/** More are found by a walk over all: to tell so many takes a peer about as long as the walk. */
const FEW = 1_024;

export class FewRows {
  #rows: number[] = [];
  /** None of their rows is missing. */
  #complete: readonly Family[] = FAMILIES;

  /** The row is in the state. */
  add(row: number): void {
    if (this.#complete.length === 0) return;
    this.#rows.push(row);
    if (this.#rows.length <= FEW) return;
    this.#complete = [];
    this.#rows = [];
  }

  /**
   * All rows of the families that are in the state, beside others, which are to be added again if they are in
   * it: none is remembered any more. Undefined: somebody has to look for them.
   */
  take(families: readonly Family[]): readonly number[] | undefined {
    if (!families.every((family) => this.#complete.includes(family))) return undefined;
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  /** No rows of the families are in the state any more: all have been looked for. */
  clear(families: readonly Family[]): void {
    this.#complete = [...new Set([...this.#complete, ...families])];
  }
}
