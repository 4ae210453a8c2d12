// What was last seen in the store, in bounded memory. Nothing in it is believed: whatever comes from
// here is compared when it is used.
import { type Listing, SHORT_LISTING } from '../core/batch.ts';
import type { Entry, Operation, Transaction } from '../core/program.ts';

/** Characters of the values kept, with an allowance for each entry. */
const MOST_CHARACTERS = 8 << 20;
const ENTRY_ALLOWANCE = 300;
const MOST_LISTINGS = 2_000;

type Cached = { readonly entry: Entry | undefined };

export class RecordCache {
  // A Map keeps the order of insertion: the first key is the one longest unused.
  readonly #entries = new Map<string, Cached>();
  readonly #listings = new Map<string, Listing>();
  #characters = 0;

  get(key: string): Cached | undefined {
    const cached = this.#entries.get(key);
    if (cached === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, cached);
    return cached;
  }

  set(key: string, entry: Entry | undefined): void {
    this.forget(key);
    this.#entries.set(key, { entry });
    this.#characters += sizeOf(key, entry);
    for (const [oldest, cached] of this.#entries) {
      if (this.#characters <= MOST_CHARACTERS) break;
      this.#entries.delete(oldest);
      this.#characters -= sizeOf(oldest, cached.entry);
    }
  }

  forget(key: string): void {
    const cached = this.#entries.get(key);
    if (cached === undefined) return;
    this.#entries.delete(key);
    this.#characters -= sizeOf(key, cached.entry);
  }

  listing(prefix: string): Listing | undefined {
    const listing = this.#listings.get(prefix);
    if (listing === undefined) return undefined;
    this.#listings.delete(prefix);
    this.#listings.set(prefix, listing);
    return listing;
  }

  /** Long listings are not kept: their members are not compared. */
  setListing(prefix: string, listing: Listing): void {
    this.#listings.delete(prefix);
    if (listing.entries.length > SHORT_LISTING) return;
    this.#listings.set(prefix, listing);
    for (const oldest of this.#listings.keys()) {
      if (this.#listings.size <= MOST_LISTINGS) break;
      this.#listings.delete(oldest);
    }
  }

  forgetListing(prefix: string): void {
    this.#listings.delete(prefix);
  }

  /** What is remembered of the key contradicts itself: an entry and a listing, or two listings. */
  contradicted(key: string): void {
    this.forget(key);
    this.#forgetListingsOf(key);
  }

  #forgetListingsOf(key: string): void {
    for (const prefix of this.#listings.keys()) {
      if (key.startsWith(prefix)) this.forgetListing(prefix);
    }
  }

  /** What the transaction wrote at the revision. */
  wrote(operations: readonly Operation[], modRevision: bigint): void {
    for (const operation of operations) {
      if (operation.kind === 'delete') {
        this.forget(operation.key);
        continue;
      }
      const { key, value, content } = operation;
      this.set(key, { key, value, modRevision, ...(content === undefined ? {} : { content }) });
    }
  }

  /** What the store answered to comparisons that failed. */
  learned({ compare, unchanged = [] }: Transaction, current: ReadonlyMap<string, Entry>): void {
    let isExplained = false;
    for (const { key, modRevision } of compare) {
      const entry = current.get(key);
      this.set(key, entry);
      if ((entry?.modRevision ?? 0n) === modRevision) continue;
      isExplained = true;
      this.#forgetListingsOf(key); // also those that only guesses were made from
    }
    if (isExplained) return;
    for (const { prefix } of unchanged) this.forgetListing(prefix);
  }

  /** The transaction may have happened or not. */
  doubt({ compare, unchanged = [], operations }: Transaction): void {
    for (const { key } of [...compare, ...operations]) this.forget(key);
    for (const { prefix } of unchanged) this.forgetListing(prefix);
  }
}

function sizeOf(key: string, entry: Entry | undefined): number {
  return key.length + (entry?.value.length ?? 0) + ENTRY_ALLOWANCE;
}
