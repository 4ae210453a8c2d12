import { type Address, isLinkLocal } from '@calico/ip';
import { RowAllocator } from './columns.ts';
import type { PrefixTable } from './prefix_table.ts';
import { SortedAddresses } from './sorted_addresses.ts';

/**
 * What a next hop costs that nobody has asked about yet, where any costs something: one that is known is preferred, and
 * stays in use alone.
 */
const UNKNOWN = Number.POSITIVE_INFINITY;

/** Next hops by number: few, however large the table. */
export class NextHopTable {
  readonly #rows = new RowAllocator();
  /** IPv4 by the number that the address is, IPv6 by its big one. */
  readonly #numbers = new Map<number | bigint, number>();
  readonly #addresses: (Address | undefined)[] = [];
  readonly #references: number[] = [];
  /** Numbers of those that some peer has told: they matter to the decision. */
  readonly #told = new Set<number>();
  readonly #sorted = new SortedAddresses();
  /** Of these: nobody has asked yet whether they can be reached. */
  readonly #unasked = new Set<number>();
  /** Of these: the kernel cannot reach them. */
  readonly #unreachable = new Set<number>();
  /** What it costs to get there, by number: 0 on the link, and of those that no peer has told. */
  readonly #costs: number[] = [];
  /** Next hops whose cost is not 0. */
  #farCount = 0;
  /** Paths that are not used for that, where there are any. */
  readonly #cutOff = new Map<number, number>();

  find(address: Address): number | undefined {
    return this.#numbers.get(keyOf(address));
  }

  /** The next hop's number, with a reference for the caller. */
  intern(address: Address): number {
    return this.#retain(this.find(address) ?? this.#add(keyOf(address), address));
  }

  /** A peer has told it. */
  noteTold(number: number): void {
    if (this.#told.has(number)) return;
    this.#told.add(number);
    const address = this.addressOf(number);
    this.#sorted.add(address);
    this.#unasked.add(number);
    // Mostly all are on the link. Those that certainly are, are never asked about.
    if (this.hasFar && !isLinkLocal(address)) this.#putCost(number, UNKNOWN);
  }

  get hasUnasked(): boolean {
    return this.#unasked.size > 0;
  }

  /** Next hops that peers have told, each once, up to `limit` of them. */
  takeUnasked(limit: number): readonly Address[] {
    const numbers = Array.from(this.#unasked.values().take(limit));
    for (const number of numbers) this.#unasked.delete(number);
    return numbers.map((number) => this.addressOf(number));
  }

  /** Somebody has asked. */
  noteAsked(address: Address): void {
    if (this.#unasked.size === 0) return;
    const number = this.find(address);
    if (number !== undefined) this.#unasked.delete(number);
  }

  /** Whether some peer has told it. */
  isTold(address: Address): boolean {
    const number = this.find(address);
    return number !== undefined && this.#told.has(number);
  }

  /** Whether a route to the table's prefix leads to any that peers have told. */
  hasToldInside(prefixes: PrefixTable, id: number): boolean {
    return this.#sorted.hasInside(prefixes, id);
  }

  /** Whether there are any that cannot be reached. */
  get hasUnreachable(): boolean {
    return this.#unreachable.size > 0;
  }

  /** Also while that is not known. */
  isReachable(number: number): boolean {
    return !this.#unreachable.has(number);
  }

  /** Whether that is news about what a peer has told. */
  isNews(address: Address, isReachable: boolean, cost = 0): boolean {
    if (!this.isTold(address)) return false;
    const number = this.find(address) as number;
    return (
      this.isReachable(number) !== isReachable || (isReachable && this.costOf(number) !== cost)
    );
  }

  /** Whether it was otherwise before. */
  setReachable(address: Address, isReachable: boolean): boolean {
    if (!this.isTold(address)) return false;
    const number = this.find(address) as number;
    if (this.isReachable(number) === isReachable) return false;
    if (isReachable) this.#unreachable.delete(number);
    else this.#unreachable.add(number);
    return true;
  }

  /** Whether getting to any costs something. */
  get hasFar(): boolean {
    return this.#farCount > 0;
  }

  costOf(number: number): number {
    return this.#costs[number] as number;
  }

  /** The number of the next hop, if peers have told it and the cost was another; or -1. */
  setCost(address: Address, cost: number): number {
    const number = this.isTold(address) ? (this.find(address) as number) : -1;
    if (number < 0 || this.costOf(number) === cost) return -1;
    this.#putCost(number, cost);
    return number;
  }

  #putCost(number: number, cost: number): void {
    this.#farCount += Number(cost > 0) - Number(this.costOf(number) > 0);
    this.#costs[number] = cost;
  }

  unreachable(): readonly Address[] {
    return Array.from(this.#unreachable, (number) => this.addressOf(number));
  }

  /**
   * A path that is not used, as its next hop cannot be reached, is counted with another: a number, or -1 for none.
   * One that goes on to have any keeps its place in cutOff().
   */
  moveCutOff(from: number, to: number): void {
    if (from === to) return;
    if (to >= 0) this.#cutOff.set(to, (this.#cutOff.get(to) ?? 0) + 1);
    if (from < 0) return;
    const count = (this.#cutOff.get(from) ?? 0) - 1;
    if (count > 0) this.#cutOff.set(from, count);
    else this.#cutOff.delete(from);
  }

  /** Next hops that some paths are not used for. */
  get cutOffCount(): number {
    return this.#cutOff.size;
  }

  /** Those, in the order in which they came to be. */
  *cutOff(): Generator<Address, void, undefined> {
    for (const number of this.#cutOff.keys()) yield this.addressOf(number);
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
    this.#costs[number] = 0;
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
    const address = this.addressOf(number);
    this.#numbers.delete(keyOf(address));
    if (this.#told.delete(number)) this.#sorted.delete(address);
    for (const numbers of [this.#unasked, this.#unreachable]) numbers.delete(number);
    this.#putCost(number, 0);
    this.#addresses[number] = undefined;
    this.#rows.give(number);
  }

  /** While they are gone through, others may come and go. */
  *addresses(): Generator<Address, void, undefined> {
    for (const address of this.#addresses) if (address !== undefined) yield address;
  }

  addressOf(number: number): Address {
    return this.#addresses[number] as Address;
  }
}

function keyOf({ family, value }: Address): number | bigint {
  return family === 4 ? Number(value) : value;
}
