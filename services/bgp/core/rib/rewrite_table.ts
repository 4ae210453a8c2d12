import type { AttributeRewrite } from '@calico/bgp-wire';
import { formatAddress } from '@calico/ip';
import { RowAllocator } from './columns.ts';

const NONE = -1;

/** What speakers change when they pass attributes on, by number: few, however large the table. */
export class RewriteTable {
  readonly #rows = new RowAllocator();
  readonly #numbers = new Map<string, number>();
  readonly #changes: (AttributeRewrite | undefined)[] = [];
  readonly #references: number[] = [];
  /** That was asked for last: it holds for many sets. */
  #last: AttributeRewrite | undefined;
  #number = NONE;

  /** The same for equal ones. Valid until the next call, or as long as somebody holds a reference. */
  numberOf(change: AttributeRewrite): number {
    if (change === this.#last) return this.#number;
    if (this.#number !== NONE) this.release(this.#number);
    const text = textOf(change);
    this.#number = this.#numbers.get(text) ?? this.#add(text, change);
    this.retain(this.#number);
    this.#last = change;
    return this.#number;
  }

  at(number: number): AttributeRewrite {
    return this.#changes[number] as AttributeRewrite;
  }

  retain(number: number): void {
    (this.#references[number] as number) += 1;
  }

  release(number: number): void {
    const left = (this.#references[number] as number) - 1;
    this.#references[number] = left;
    if (left > 0) return;
    this.#numbers.delete(textOf(this.at(number)));
    this.#changes[number] = undefined;
    this.#rows.give(number);
  }

  #add(text: string, change: AttributeRewrite): number {
    const number = this.#rows.take();
    this.#numbers.set(text, number);
    this.#changes[number] = change;
    this.#references[number] = 0;
    return number;
  }
}

function textOf({ nextHop, prepend, localPreference, reflection }: AttributeRewrite): string {
  const reflected = reflection && [reflection.originatorId, reflection.clusterId];
  return [formatAddress(nextHop), prepend, localPreference, reflected].join(' ');
}
