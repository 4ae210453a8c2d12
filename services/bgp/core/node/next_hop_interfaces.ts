// Which interface the kernel reaches a next hop through, for filters that ask for it: the kernel is asked once, and
// filters judge anew only when one of its answers has become another.
import { type Address, sameAddress } from '@calico/ip';
import type { KernelPort } from '../../ports.ts';
import type { Defer } from '../host/turns.ts';
import type { Resolution } from '../kernel/types.ts';
import type { NextHopTable } from '../rib/next_hop_table.ts';

type Known = { readonly nextHop: Address; readonly name: string | undefined };

export class NextHopInterfaces {
  readonly #kernel: Pick<KernelPort, 'resolve' | 'interfaceName'>;
  readonly #hops: NextHopTable;
  readonly #events: ConstructorParameters<typeof NextHopInterfaces>[2];
  /** By the next hop's number, which may have been that of another one. */
  readonly #known = new Map<number, Known>();
  readonly #names = new Map<number, string | undefined>();
  #isTelling = false;

  constructor(
    kernel: Pick<KernelPort, 'resolve' | 'interfaceName'>,
    hops: NextHopTable,
    events: {
      readonly defer: Defer;
      /** Whether take() is about to be told more. */
      readonly isAsking: () => boolean;
      readonly onChanged: () => void;
    },
  ) {
    this.#kernel = kernel;
    this.#hops = hops;
    this.#events = events;
  }

  of(nextHop: Address): string | undefined {
    const number = this.#hops.find(nextHop);
    const known = number === undefined ? undefined : this.#knownOf(number, nextHop);
    if (known !== undefined) return known.name;
    const name = this.#nameOf(this.#kernel.resolve(nextHop));
    if (number !== undefined) this.#known.set(number, { nextHop, name });
    return name;
  }

  /** What the kernel says about a next hop, whether anybody has asked for its interface or not. */
  take(nextHop: Address, resolution: Resolution | undefined): void {
    const number = this.#hops.find(nextHop);
    if (number === undefined) return;
    const known = this.#knownOf(number, nextHop);
    if (known === undefined) return;
    const name = this.#nameOf(resolution);
    if (name === known.name) return;
    this.#known.set(number, { nextHop, name });
    if (!this.#isTelling) this.#tellSoon();
  }

  /** Interfaces may have other names, or numbers, now. */
  forgetNames(): void {
    this.#names.clear();
  }

  /** Once for all that a round of questions finds out. */
  #tellSoon(): void {
    this.#isTelling = true;
    this.#events.defer(() => {
      if (this.#events.isAsking()) return this.#tellSoon();
      this.#isTelling = false;
      this.#events.onChanged();
    });
  }

  #knownOf(number: number, nextHop: Address): Known | undefined {
    const known = this.#known.get(number);
    return known !== undefined && sameAddress(known.nextHop, nextHop) ? known : undefined;
  }

  #nameOf(resolution: Resolution | undefined): string | undefined {
    if (resolution === undefined) return undefined;
    const { interfaceIndex } = resolution;
    if (!this.#names.has(interfaceIndex)) {
      this.#names.set(interfaceIndex, this.#kernel.interfaceName(interfaceIndex));
    }
    return this.#names.get(interfaceIndex);
  }
}
