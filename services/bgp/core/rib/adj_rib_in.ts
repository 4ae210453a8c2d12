import type { Family, Prefix } from '@calico/ip';
import type { Path } from './path.ts';
import { type PrefixKey, prefixKey } from './prefix_key.ts';

/** What one peer has announced and import policy let in. Stale paths await the peer's return. */
export class AdjRibIn implements Iterable<Path> {
  readonly #paths = new Map<PrefixKey, Path>();
  readonly #stale = new Set<PrefixKey>();

  get size(): number {
    return this.#paths.size;
  }

  get staleCount(): number {
    return this.#stale.size;
  }

  get(prefix: Prefix): Path | undefined {
    return this.#paths.get(prefixKey(prefix));
  }

  isStale(prefix: Prefix): boolean {
    return this.#stale.has(prefixKey(prefix));
  }

  set(path: Path): void {
    const key = prefixKey(path.prefix);
    this.#stale.delete(key);
    this.#paths.set(key, path);
  }

  /** Whether there was a path. */
  delete(prefix: Prefix): boolean {
    const key = prefixKey(prefix);
    this.#stale.delete(key);
    return this.#paths.delete(key);
  }

  markStale(families: readonly Family[]): void {
    for (const [key, { prefix }] of this.#paths) {
      if (families.includes(prefix.family)) this.#stale.add(key);
    }
  }

  /** Removes what is still stale and answers it. */
  sweep(families: readonly Family[]): Path[] {
    return this.#removeWhere(
      (key, { prefix }) => this.#stale.has(key) && families.includes(prefix.family),
    );
  }

  /** Removes all paths of families not named. */
  retainOnly(families: readonly Family[]): Path[] {
    return this.#removeWhere((_key, { prefix }) => !families.includes(prefix.family));
  }

  [Symbol.iterator](): Iterator<Path> {
    return this.#paths.values();
  }

  #removeWhere(matches: (key: PrefixKey, path: Path) => boolean): Path[] {
    const removed: Path[] = [];
    for (const [key, path] of this.#paths) {
      if (!matches(key, path)) continue;
      this.#paths.delete(key);
      this.#stale.delete(key);
      removed.push(path);
    }
    return removed;
  }
}
