import type { Prefix } from '@calico/ip';
import { type Decision, decide, NO_DECISION } from './decision.ts';
import { type Path, type PathSource, sourceKey } from './path.ts';
import { type PrefixKey, prefixKey } from './prefix_key.ts';

export type RibEntry = Decision & {
  readonly prefix: Prefix;
  /** All paths, in no particular order. */
  readonly candidates: readonly Path[];
};

type Held = { prefix: Prefix; candidates: readonly Path[]; decision: Decision };

/** All candidates of every prefix, and which of them is used. Decides when asked to settle(). */
export class LocRib {
  readonly #held = new Map<PrefixKey, Held>();
  readonly #unsettled = new Map<PrefixKey, Prefix>();

  get size(): number {
    return this.#held.size;
  }

  /** Puts the source's path in place of its earlier one. */
  put(path: Path): void {
    const held = this.#hold(path.prefix);
    held.candidates = [...without(held.candidates, path.source), path];
  }

  remove(prefix: Prefix, source: PathSource): void {
    const held = this.#held.get(prefixKey(prefix));
    if (held === undefined) return;
    held.candidates = without(held.candidates, source);
    this.#unsettled.set(prefixKey(prefix), prefix);
  }

  get(prefix: Prefix): RibEntry | undefined {
    const held = this.#held.get(prefixKey(prefix));
    return held === undefined ? undefined : entryOf(held);
  }

  *entries(): Generator<RibEntry, void, undefined> {
    for (const held of this.#held.values()) {
      if (held.decision.best !== undefined) yield entryOf(held);
    }
  }

  /** Decides anew for all prefixes touched since the last call; answers those whose outcome changed. */
  settle(): RibEntry[] {
    const changed: RibEntry[] = [];
    for (const [key, prefix] of this.#unsettled) {
      const held = this.#held.get(key);
      if (held === undefined) continue;
      const before = held.decision;
      held.decision = decide(held.candidates);
      if (held.candidates.length === 0) this.#held.delete(key);
      if (!sameDecision(before, held.decision)) changed.push({ ...entryOf(held), prefix });
    }
    this.#unsettled.clear();
    return changed;
  }

  #hold(prefix: Prefix): Held {
    const key = prefixKey(prefix);
    this.#unsettled.set(key, prefix);
    let held = this.#held.get(key);
    if (held === undefined) {
      held = { prefix, candidates: [], decision: NO_DECISION };
      this.#held.set(key, held);
    }
    return held;
  }
}

function entryOf({ prefix, candidates, decision }: Held): RibEntry {
  return { prefix, candidates, ...decision };
}

function without(candidates: readonly Path[], source: PathSource): readonly Path[] {
  const key = sourceKey(source);
  return candidates.filter((path) => sourceKey(path.source) !== key);
}

function sameDecision(a: Decision, b: Decision): boolean {
  return (
    a.best === b.best &&
    a.multipath.length === b.multipath.length &&
    a.multipath.every((path, index) => path === b.multipath[index])
  );
}
