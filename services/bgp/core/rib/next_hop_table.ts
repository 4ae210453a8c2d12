import type { Address } from '@calico/ip';
import { RowAllocator } from './columns.ts';

/** Next hops by number: few, however large the table. */
export class NextHopTable {
  readonly #rows = new RowAllocator();
  /** IPv4 by the number that the address is, IPv6 by its big one. */
  readonly #numbers = new Map<number | bigint, number>();
  readonly #addresses: (Address | undefined)[] = [];
  readonly #references: number[] = [];

  find(address: Address): number | undefined {
    return this.#numbers.get(keyOf(address));
  }

  /** The next hop's number, with a reference for the caller. */
  intern(address: Address): number {
    const key = keyOf(address);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#rows.take();
      this.#numbers.set(key, number);
      this.#addresses[number] = address;
      this.#references[number] = 0;
    }
    (this.#references[number] as number) += 1;
    return number;
  }

  release(number: number): void {
    const left = (this.#references[number] as number) - 1;
    this.#references[number] = left;
    if (left > 0) return;
    this.#numbers.delete(keyOf(this.addressOf(number)));
    this.#addresses[number] = undefined;
    this.#rows.give(number);
  }

  addresses(): Iterable<Address> {
    return this.#addresses.filter((each) => each !== undefined);
  }

  addressOf(number: number): Address {
    return this.#addresses[number] as Address;
  }
}

function keyOf({ family, value }: Address): number | bigint {
  return family === 4 ? Number(value) : value;
}
