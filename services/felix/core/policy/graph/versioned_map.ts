// A map as a value: changing it makes a new one and leaves the old one as it was, at the price of the change alone. The
// newest version holds the entries; an older one holds how it differs from the next (Baker's trick). Nobody who only
// uses the newest pays for that, and what old versions need goes with them.

export const ABSENT = Symbol('absent');
export type Absent = typeof ABSENT;
export type Changes<V> = ReadonlyMap<string, V | Absent>;

/** So many changes behind, a version is made a map of its own when it is read. */
const FAR_BEHIND = 64;

type Past<V> = {
  /** What this version has, where the next one has something else. */
  readonly patch: Changes<V>;
  readonly next: VersionedMap<V>;
};

export class VersionedMap<V> implements ReadonlyMap<string, V> {
  #entries: Map<string, V> | undefined;
  #past: Past<V> | undefined;

  /** `entries` belongs to the new map. */
  constructor(entries: Map<string, V> = new Map()) {
    this.#entries = entries;
  }

  /** The map with these changes. Cheap on the newest version only. */
  with(changes: Changes<V>): VersionedMap<V> {
    const entries = this.#own();
    const patch = new Map<string, V | Absent>();
    for (const [key, value] of changes) {
      patch.set(key, valueIn(entries, key));
      if (value === ABSENT) entries.delete(key);
      else entries.set(key, value);
    }
    const next = new VersionedMap(entries);
    this.#entries = undefined;
    this.#past = { patch, next };
    return next;
  }

  /** The keys that may differ between this version and a later one; undefined: `later` does not come from this. */
  keysChangedUntil(later: ReadonlyMap<string, V>): ReadonlySet<string> | undefined {
    const keys = new Set<string>();
    if (later === this) return keys;
    for (let past = this.#past; past !== undefined; past = past.next.#past) {
      for (const key of past.patch.keys()) keys.add(key);
      if (past.next === later) return keys;
    }
    return undefined;
  }

  get size(): number {
    return this.#own().size;
  }

  get(key: string): V | undefined {
    const value = this.#find(key);
    return value === ABSENT ? undefined : value;
  }

  has(key: string): boolean {
    return this.#find(key) !== ABSENT;
  }

  entries(): MapIterator<[string, V]> {
    return this.#own().entries();
  }

  keys(): MapIterator<string> {
    return this.#own().keys();
  }

  values(): MapIterator<V> {
    return this.#own().values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.#own()) callback(value, key, this);
  }

  #find(key: string): V | Absent {
    let entries = this.#entries;
    let steps = 0;
    for (let past = this.#past; past !== undefined; past = past.next.#past) {
      if (++steps > FAR_BEHIND) return valueIn(this.#own(), key);
      const own = past.patch.get(key);
      if (own !== undefined || past.patch.has(key)) return own as V | Absent;
      entries = past.next.#entries;
    }
    return valueIn(entries ?? this.#own(), key);
  }

  /** Makes this version a map of its own. */
  #own(): Map<string, V> {
    if (this.#entries !== undefined) return this.#entries;
    const patches: Changes<V>[] = [];
    let newest: Map<string, V> | undefined;
    for (let past = this.#past; past !== undefined; past = past.next.#past) {
      patches.push(past.patch);
      newest = past.next.#entries;
    }
    const entries = new Map(newest);
    for (const patch of patches.toReversed()) {
      for (const [key, value] of patch) {
        if (value === ABSENT) entries.delete(key);
        else entries.set(key, value);
      }
    }
    this.#entries = entries;
    this.#past = undefined;
    return entries;
  }
}

function valueIn<V>(entries: ReadonlyMap<string, V>, key: string): V | Absent {
  const value = entries.get(key);
  return value === undefined && !entries.has(key) ? ABSENT : (value as V);
}
