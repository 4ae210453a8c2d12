// Which of many selectors may match an object with given labels, without a look at the others. Each selector is filed
// under one demand that it makes of a label; only those under demands that the labels meet are candidates.
import type { Labels } from './expression.ts';
import type { Restriction } from './restrictions.ts';
import type { Selector } from './selector.ts';

/** A label that an object must have: with this value, or undefined: with any. */
type Demand = { readonly label: string; readonly value: string | undefined };

export class SelectorIndex<T extends { readonly selector: Selector }> {
  /** label → value, or undefined for any → entries that demand it, among others. */
  readonly #byLabel = new Map<string, Map<string | undefined, Set<T>>>();
  /** Entries that make no demand an index could use. */
  readonly #others = new Set<T>();
  /** undefined: among the others. */
  readonly #demands = new Map<T, readonly Demand[] | undefined>();

  get size(): number {
    return this.#demands.size;
  }

  /** The labels under which something is filed. */
  get labels(): Iterable<string> {
    return this.#byLabel.keys();
  }

  add(entry: T): void {
    if (this.#demands.has(entry)) return;
    const demands = this.#bestDemands(entry.selector);
    this.#demands.set(entry, demands);
    if (demands === undefined) this.#others.add(entry);
    for (const { label, value } of demands ?? []) {
      const values = getOrMake(this.#byLabel, label, () => new Map<string | undefined, Set<T>>());
      getOrMake(values, value, () => new Set<T>()).add(entry);
    }
  }

  delete(entry: T): void {
    for (const { label, value } of this.#demands.get(entry) ?? []) {
      const values = this.#byLabel.get(label);
      const place = values?.get(value);
      place?.delete(entry);
      if (place?.size === 0) values?.delete(value);
      if (values?.size === 0) this.#byLabel.delete(label);
    }
    this.#others.delete(entry);
    this.#demands.delete(entry);
  }

  /** Those whose selector may match; each at most once. */
  *candidates(labels: Labels): Generator<T, void, undefined> {
    yield* this.#others;
    for (const label in labels) {
      if (!Object.hasOwn(labels, label)) continue;
      const values = this.#byLabel.get(label);
      if (values === undefined) continue;
      yield* values.get(undefined) ?? [];
      yield* values.get(labels[label] ?? '') ?? [];
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

  /** Those that fewest others share; none when nothing can match. */
  #bestDemands(selector: Selector): readonly Demand[] | undefined {
    let best: readonly Demand[] | undefined;
    let smallest = Infinity;
    for (const [label, restriction] of selector.restrictions) {
      const demands = demandsOf(label, restriction);
      if (demands === undefined) continue;
      const size = demands.reduce((sum, demand) => sum + this.#sizeOf(demand) + 1, 0);
      // Values first: a label alone says less, however few selectors ask for it now.
      const cost = restriction.mustHaveOneOf === undefined ? size + 1_000_000 : size;
      if (cost < smallest) [best, smallest] = [demands, cost];
    }
    return best;
  }

  #sizeOf({ label, value }: Demand): number {
    return this.#byLabel.get(label)?.get(value)?.size ?? 0;
  }
}

function demandsOf(label: string, restriction: Restriction): readonly Demand[] | undefined {
  const { mustHaveOneOf, mustBePresent, mustBeAbsent } = restriction;
  if (mustHaveOneOf !== undefined) return mustHaveOneOf.map((value) => ({ label, value }));
  return mustBePresent && !mustBeAbsent ? [{ label, value: undefined }] : undefined;
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = make();
  map.set(key, value);
  return value;
}
