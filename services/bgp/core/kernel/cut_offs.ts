// Peers and next hops that the blackhole of an aggregate would cut off, as no route that is as specific leads to them.
// While there are any it is not written: whether they are reached is never a matter of what is written here, so the
// blackhole cannot come and go with them.
import { type Address, formatAddress, formatPrefix, type Prefix, prefixContains } from '@calico/ip';

/** Addresses, each with the round of questions that it was last found in. */
type Found = Map<string, number>;

export class CutOffs {
  #all: readonly { readonly prefix: Prefix; readonly found: Found }[] = [];
  #round = 0;

  /** @param aggregates do not overlap; nobody has asked about any address inside yet */
  configure(aggregates: readonly Prefix[]): void {
    this.#all = aggregates.map((prefix) => ({ prefix, found: new Map() }));
  }

  get hasAggregates(): boolean {
    return this.#all.length > 0;
  }

  aggregateOf(address: Address): Prefix | undefined {
    return this.#of(address)?.prefix;
  }

  /** One of those that the blackhole would cut off. */
  in(aggregate: Prefix): string | undefined {
    const text = formatPrefix(aggregate);
    const one = this.#all.find(({ prefix }) => formatPrefix(prefix) === text);
    return one && firstOf(one.found);
  }

  /** What is known of an address inside of an aggregate. Whether in() answers otherwise now. */
  note(address: Address, isCutOff: boolean): boolean {
    const found = this.#of(address)?.found;
    if (found === undefined) return false;
    const before = firstOf(found);
    if (isCutOff) found.set(formatAddress(address), this.#round);
    else found.delete(formatAddress(address));
    return firstOf(found) !== before;
  }

  roundBegins(): void {
    this.#round += 1;
  }

  /** Whom nobody has asked about since is needed no more. Whether in() answers otherwise now. */
  roundIsOver(): boolean {
    let isOtherwise = false;
    for (const { found } of this.#all) {
      const before = firstOf(found);
      for (const [text, round] of found) if (round !== this.#round) found.delete(text);
      isOtherwise ||= firstOf(found) !== before;
    }
    return isOtherwise;
  }

  #of(address: Address) {
    return this.#all.find(({ prefix }) => prefixContains(prefix, address));
  }
}

function firstOf(found: Found): string | undefined {
  return found.keys().next().value;
}
