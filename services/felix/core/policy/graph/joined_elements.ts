// Elements of a look-up: what selectors find, with the ports of each rule beside it. An address that comes or goes changes
// its own elements.
import type { CounterRef } from '../compiler/ruleset.ts';
import { LiveElements } from './live_elements.ts';

/** Every element of the source, before each of the suffixes, leads to the counter. */
export type JoinedPart = {
  readonly counter: CounterRef;
  readonly source: LiveElements;
  readonly suffixes: readonly string[];
};

/** Of two parts for an element the first counts. */
export class JoinedElements extends LiveElements {
  readonly #bySource: ReadonlyMap<LiveElements, readonly JoinedPart[]>;
  readonly #bySuffix = new Map<string, JoinedPart[]>();

  constructor(parts: readonly JoinedPart[], onChange: (elements: LiveElements) => void) {
    super(onChange);
    this.#bySource = Map.groupBy(parts, ({ source }) => source);
    for (const part of parts) {
      for (const suffix of part.suffixes) {
        const others = this.#bySuffix.get(suffix);
        if (others === undefined) this.#bySuffix.set(suffix, [part]);
        else others.push(part);
      }
    }
    for (const { counter, source, suffixes } of parts.toReversed()) {
      for (const address of source.keys()) {
        for (const suffix of suffixes) this.set(`${address}${suffix}`, counter);
      }
    }
    for (const source of this.#bySource.keys()) {
      source.watchers.set(this, (address) => this.#changed(source, address));
    }
  }

  /** From now on it stays as it is. */
  detach(): void {
    for (const source of this.#bySource.keys()) source.watchers.delete(this);
  }

  #changed(from: LiveElements, address: string): void {
    const suffixes = new Set(this.#bySource.get(from)?.flatMap((part) => part.suffixes));
    for (const suffix of suffixes) {
      const owner = this.#bySuffix.get(suffix)?.find(({ source }) => source.has(address));
      if (owner === undefined) this.delete(`${address}${suffix}`);
      else this.set(`${address}${suffix}`, owner.counter);
    }
  }
}
