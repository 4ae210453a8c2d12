// Which of many selectors may match an object with given labels, without a look at the others. Each selector is filed
// under one demand that it makes of a label; only those under demands that the labels meet are candidates.
import type { Labels } from './expression.ts';
import type { Restriction } from './restrictions.ts';
import type { Selector } from './selector.ts';

export class SelectorIndex<T extends { readonly selector: Selector }> {
  /** label → value → entries that demand this value, among others. */
  readonly #byValue = new Map<string, Map<string, Set<T>>>();
  /** label → entries that demand it with any value. */
  readonly #byLabel = new Map<string, Set<T>>();
  /** Entries that make no demand an index could use. */
  readonly #others = new Set<T>();
  readonly #places = new Map<T, readonly Set<T>[]>();

  get size(): number {
    return this.#places.size;
  }

  add(entry: T): void {
    if (this.#places.has(entry)) return;
    const places = this.#placesFor(entry.selector);
    for (const place of places) place.add(entry);
    this.#places.set(entry, places);
  }

  delete(entry: T): void {
    for (const place of this.#places.get(entry) ?? []) place.delete(entry);
    this.#places.delete(entry);
  }

  /** Those whose selector may match; each at most once. */
  *candidates(labels: Labels): Generator<T, void, undefined> {
    yield* this.#others;
    for (const label in labels) {
      if (!Object.hasOwn(labels, label)) continue;
      yield* this.#byLabel.get(label) ?? [];
      yield* this.#byValue.get(label)?.get(labels[label] ?? '') ?? [];
    }
  }

  /** Those whose selector matches. */
  matching(labels: Labels): T[] {
    const found: T[] = [];
    for (const entry of this.candidates(labels)) {
      if (entry.selector.matches(labels)) found.push(entry);
    }
    return found;
  }

  /** Under the demand that fewest others share; none when nothing can match. */
  #placesFor(selector: Selector): readonly Set<T>[] {
    let best: readonly Set<T>[] | undefined;
    let smallest = Infinity;
    for (const [label, restriction] of selector.restrictions) {
      const places = this.#placesOf(label, restriction);
      if (places === undefined) continue;
      const size = places.reduce((sum, place) => sum + place.size + 1, 0);
      // Values first: a label alone says less, however few selectors ask for it now.
      const cost = restriction.mustHaveOneOf === undefined ? size + 1_000_000 : size;
      if (cost < smallest) [best, smallest] = [places, cost];
    }
    return best ?? [this.#others];
  }

  #placesOf(label: string, restriction: Restriction): readonly Set<T>[] | undefined {
    const { mustHaveOneOf, mustBePresent, mustBeAbsent } = restriction;
    if (mustHaveOneOf !== undefined) {
      const values = getOrMake(this.#byValue, label, () => new Map<string, Set<T>>());
      return mustHaveOneOf.map((value) => getOrMake(values, value, () => new Set<T>()));
    }
    if (!mustBePresent || mustBeAbsent) return undefined;
    return [getOrMake(this.#byLabel, label, () => new Set<T>())];
  }
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  map.set(key, value);
  return value;
}
