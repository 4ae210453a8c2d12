// Elements of a set that changes: collects changes, and then makes them a new version at once.
import type { ElementValue } from '../compiler/ruleset.ts';
import { ABSENT, type Absent, VersionedMap } from './versioned_map.ts';

export type Elements = ReadonlyMap<string, ElementValue>;
type Value = ElementValue | Absent;

/** What a set had and has, where the two differ. */
export type ElementChanges = { readonly removed: Elements; readonly added: Elements };

export class LiveElements implements ReadonlyMap<string, ElementValue> {
  #current: VersionedMap<ElementValue>;
  readonly #pending = new Map<string, Value>();
  /** Elements that more than one thing asks for: how many beyond the first. */
  readonly #extra = new Map<string, number>();
  readonly #onChange: (elements: LiveElements) => void;
  /** Others that are made of these: told which element comes or goes. */
  readonly watchers = new Map<LiveElements, (element: string) => void>();

  /** `onChange` is called at the first change after a take(). */
  constructor(onChange: (elements: LiveElements) => void) {
    this.#current = new VersionedMap();
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#merged().size;
  }

  entries(): MapIterator<[string, ElementValue]> {
    return this.#merged().entries();
  }

  keys(): MapIterator<string> {
    return this.#merged().keys();
  }

  values(): MapIterator<ElementValue> {
    return this.#merged().values();
  }

  [Symbol.iterator](): MapIterator<[string, ElementValue]> {
    return this.entries();
  }

  forEach(callback: Parameters<Elements['forEach']>[0]): void {
    for (const [element, verdict] of this.#merged()) callback(verdict, element, this);
  }

  /** As of the last take(). */
  get current(): VersionedMap<ElementValue> {
    return this.#current;
  }

  has(element: string): boolean {
    return this.#find(element) !== ABSENT;
  }

  get(element: string): ElementValue {
    const value = this.#find(element);
    return value === ABSENT ? undefined : value;
  }

  set(element: string, value?: ElementValue): void {
    this.#change(element, value);
  }

  delete(element: string): void {
    this.#change(element, ABSENT);
  }

  /** One more asks for the element. */
  add(element: string): void {
    if (!this.has(element)) this.set(element);
    else this.#extra.set(element, (this.#extra.get(element) ?? 0) + 1);
  }

  /** One fewer asks for it. */
  release(element: string): void {
    const extra = this.#extra.get(element);
    if (extra === undefined) this.delete(element);
    else if (extra === 1) this.#extra.delete(element);
    else this.#extra.set(element, extra - 1);
  }

  /** Makes it hold exactly these. */
  replace(elements: Elements): void {
    for (const element of this.keys()) if (!elements.has(element)) this.delete(element);
    for (const [element, verdict] of elements) this.set(element, verdict);
  }

  /** Starts a new version; undefined when nothing differs from the one before. */
  take(): ElementChanges | undefined {
    const removed = new Map<string, ElementValue>();
    const added = new Map<string, ElementValue>();
    for (const [element, after] of this.#pending) {
      const before = this.#current.has(element) ? this.#current.get(element) : ABSENT;
      if (before === after) this.#pending.delete(element);
      else {
        if (before !== ABSENT) removed.set(element, before);
        if (after !== ABSENT) added.set(element, after);
      }
    }
    if (this.#pending.size > 0) this.#current = this.#current.with(this.#pending);
    const hasChanged = this.#pending.size > 0;
    this.#pending.clear();
    return hasChanged ? { removed, added } : undefined;
  }

  #merged(): Elements {
    if (this.#pending.size === 0) return this.#current;
    const merged = new Map(this.#current);
    for (const [element, value] of this.#pending) {
      if (value === ABSENT) merged.delete(element);
      else merged.set(element, value);
    }
    return merged;
  }

  #change(element: string, value: Value): void {
    if (this.#find(element) === value) return;
    if (this.#pending.size === 0) this.#onChange(this);
    this.#pending.set(element, value);
    for (const tell of this.watchers.values()) tell(element);
  }

  #find(element: string): Value {
    if (this.#pending.has(element)) return this.#pending.get(element);
    return this.#current.has(element) ? this.#current.get(element) : ABSENT;
  }
}
