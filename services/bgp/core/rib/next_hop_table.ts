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
    return this.#retain(this.find(address) ?? this.#add(keyOf(address), address));
  }

  /** As intern(). @param value 32 bits */
  internIpv4(value: number): number {
    const known = this.#numbers.get(value);
    return this.#retain(known ?? this.#add(value, { family: 4, value: BigInt(value) }));
  }

  #add(key: number | bigint, address: Address): number {
    const number = this.#rows.take();
    this.#numbers.set(key, number);
    this.#addresses[number] = address;
    this.#references[number] = 0;
    return number;
  }

  #retain(number: number): number {
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
