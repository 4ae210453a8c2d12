// A list of resources that follows changes: every version is an array of its own, and knows how it came from the one
// before, so that nobody has to compare a hundred thousand places.
import { noteOrigin } from './policy/graph/list_changes.ts';

export type ResourceChange<T> = { readonly before: T | undefined; readonly after: T | undefined };

export class ResourceList<T extends object> {
  #items: readonly T[];
  readonly #places: Map<T, number>;

  constructor(items: readonly T[]) {
    this.#items = items;
    this.#places = new Map(items.map((item, index) => [item, index]));
  }

  /** In no particular order. */
  get items(): readonly T[] {
    return this.#items;
  }

  /** Changes in the order in which they happened; of what was not in the list, only what came counts. */
  change(changes: readonly ResourceChange<T>[]): void {
    const [removed, added] = [new Set<T>(), new Set<T>()];
    for (const { before, after } of changes) {
      if (before !== undefined && !added.delete(before) && this.#places.has(before)) {
        removed.add(before);
      }
      if (after !== undefined && !removed.delete(after)) added.add(after);
    }
    if (removed.size + added.size === 0) return;
    const items = this.#items.slice();
    for (const item of removed) this.#take(items, item);
    for (const item of added) this.#places.set(item, items.push(item) - 1);
    noteOrigin(items, this.#items, { removed: [...removed], added: [...added] });
    this.#items = items;
  }

  // The last one takes its place.
  #take(items: T[], item: T): void {
    const place = this.#places.get(item);
    const last = items.pop();
    this.#places.delete(item);
    if (place === undefined || last === undefined || last === item) return;
    items[place] = last;
    this.#places.set(last, place);
  }
}
