// Which of many objects with labels a selector matches, without a look at the others. A label's values are filed when a
// selector first asks for them, so that labels which no selector names cost nothing.
import type { Labels } from './expression.ts';
import type { Selector } from './selector.ts';

export class LabelIndex<T extends { readonly labels: Labels }> {
  readonly #all = new Set<T>();
  /** label → value → objects. */
  readonly #filed = new Map<string, Map<string, Set<T>>>();

  get size(): number {
    return this.#all.size;
  }

  add(object: T): void {
    this.#all.add(object);
    for (const [label, values] of this.#filed) file(values, label, object);
  }

  /** The object's labels must be those with which it was added. */
  delete(object: T): void {
    this.#all.delete(object);
    for (const [label, values] of this.#filed) {
      if (!Object.hasOwn(object.labels, label)) continue;
      const value = object.labels[label] ?? '';
      const objects = values.get(value);
      if (objects?.delete(object) && objects.size === 0) values.delete(value);
    }
  }

  /** Those that the selector matches, in no particular order. */
  matching(selector: Selector): T[] {
    const found: T[] = [];
    for (const objects of this.#candidates(selector)) {
      for (const object of objects) if (selector.matches(object.labels)) found.push(object);
    }
    return found;
  }

  #candidates(selector: Selector): readonly Iterable<T>[] {
    let best: readonly Set<T>[] = [this.#all];
    let smallest = this.#all.size;
    for (const [label, { mustHaveOneOf }] of selector.restrictions) {
      if (mustHaveOneOf === undefined) continue;
      const values = this.#valuesOf(label);
      const places = mustHaveOneOf.flatMap((value) => values.get(value) ?? []);
      const size = places.reduce((sum, place) => sum + place.size, 0);
      if (size < smallest) [best, smallest] = [places, size];
    }
    return best;
  }

  #valuesOf(label: string): Map<string, Set<T>> {
    const known = this.#filed.get(label);
    if (known !== undefined) return known;
    const values = new Map<string, Set<T>>();
    for (const object of this.#all) file(values, label, object);
    this.#filed.set(label, values);
    return values;
  }
}

function file<T extends { readonly labels: Labels }>(
  values: Map<string, Set<T>>,
  label: string,
  object: T,
): void {
  if (!Object.hasOwn(object.labels, label)) return;
  const value = object.labels[label] ?? '';
  const objects = values.get(value);
  if (objects === undefined) values.set(value, new Set([object]));
  else objects.add(object);
}
