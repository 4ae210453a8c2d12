import type { Family, Prefix } from '@calico/ip';
import type { Path, PathData, PathSource } from './path.ts';
import { type PrefixKey, prefixKey } from './prefix_key.ts';

/** A route that import policy has kept out. */
export type RefusedRoute = {
  readonly prefix: Prefix;
  /** As the peer has told it. */
  readonly data: PathData;
  readonly source: PathSource;
  readonly reason: string;
};

export type Judgement =
  | { readonly kind: 'accepted'; readonly data: PathData }
  | { readonly kind: 'rejected'; readonly reason: string };

/**
 * What one peer has announced: what import policy let in, and what it kept out, so that a new policy
 * can judge everything again. Stale routes await the peer's return.
 */
export class AdjRibIn implements Iterable<Path> {
  readonly #paths = new Map<PrefixKey, Path>();
  readonly #refused = new Map<PrefixKey, RefusedRoute>();
  readonly #stale = new Set<PrefixKey>();

  /** Routes that were let in. */
  get size(): number {
    return this.#paths.size;
  }

  get refusedCount(): number {
    return this.#refused.size;
  }

  get staleCount(): number {
    return this.#stale.size;
  }

  get(prefix: Prefix): Path | undefined {
    return this.#paths.get(prefixKey(prefix));
  }

  getRefused(prefix: Prefix): RefusedRoute | undefined {
    return this.#refused.get(prefixKey(prefix));
  }

  refused(): Iterable<RefusedRoute> {
    return this.#refused.values();
  }

  isStale(prefix: Prefix): boolean {
    return this.#stale.has(prefixKey(prefix));
  }

  set(path: Path): void {
    const key = prefixKey(path.prefix);
    this.#stale.delete(key);
    this.#refused.delete(key);
    this.#paths.set(key, path);
  }

  /** Remembers a route that is not let in. Whether there was a path before. */
  refuse(route: RefusedRoute): boolean {
    const key = prefixKey(route.prefix);
    this.#stale.delete(key);
    this.#refused.set(key, route);
    return this.#paths.delete(key);
  }

  /** Whether there was a path. */
  delete(prefix: Prefix): boolean {
    const key = prefixKey(prefix);
    this.#stale.delete(key);
    this.#refused.delete(key);
    return this.#paths.delete(key);
  }

  markStale(families: readonly Family[]): void {
    for (const table of [this.#paths, this.#refused]) {
      for (const [key, { prefix }] of table) {
        if (families.includes(prefix.family)) this.#stale.add(key);
      }
    }
  }

  /** Removes what is still stale and answers the paths among it. */
  sweep(families: readonly Family[]): Path[] {
    return this.#removeWhere(
      (key, prefix) => this.#stale.has(key) && families.includes(prefix.family),
    );
  }

  /** Removes all routes of families not named; answers the paths among them. */
  retainOnly(families: readonly Family[]): Path[] {
    return this.#removeWhere((_key, prefix) => !families.includes(prefix.family));
  }

  /** Judges everything anew. @param source who the peer is now; undefined: as before */
  reconsider(
    judge: (prefix: Prefix, data: PathData) => Judgement,
    source: PathSource | undefined,
  ): { readonly changed: Path[]; readonly removed: Path[] } {
    const changed: Path[] = [];
    const removed: Path[] = [];
    const refusedBefore = [...this.#refused];
    for (const [key, path] of this.#paths) {
      const received = path.received ?? path.data;
      const outcome = judge(path.prefix, received);
      if (outcome.kind === 'rejected') {
        const { prefix } = path;
        this.#paths.delete(key);
        this.#refused.set(key, { prefix, data: received, source: path.source, ...outcome });
        removed.push(path);
      } else if (outcome.data !== path.data || (source !== undefined && source !== path.source)) {
        const next = pathOf(path.prefix, received, outcome.data, source ?? path.source);
        this.#paths.set(key, next);
        changed.push(next);
      }
    }
    for (const [key, route] of refusedBefore) {
      const outcome = judge(route.prefix, route.data);
      if (outcome.kind === 'rejected') {
        this.#refused.set(key, { ...route, reason: outcome.reason });
        continue;
      }
      this.#refused.delete(key);
      const next = pathOf(route.prefix, route.data, outcome.data, source ?? route.source);
      this.#paths.set(key, next);
      changed.push(next);
    }
    return { changed, removed };
  }

  [Symbol.iterator](): Iterator<Path> {
    return this.#paths.values();
  }

  #removeWhere(matches: (key: PrefixKey, prefix: Prefix) => boolean): Path[] {
    const removed: Path[] = [];
    for (const [key, path] of this.#paths) {
      if (!matches(key, path.prefix)) continue;
      this.#paths.delete(key);
      this.#stale.delete(key);
      removed.push(path);
    }
    for (const [key, { prefix }] of this.#refused) {
      if (!matches(key, prefix)) continue;
      this.#refused.delete(key);
      this.#stale.delete(key);
    }
    return removed;
  }
}

/** A path of a peer; remembers what was received when import policy has changed it. */
export function pathOf(
  prefix: Prefix,
  received: PathData,
  data: PathData,
  source: PathSource,
): Path {
  return received === data ? { prefix, data, source } : { prefix, data, source, received };
}
