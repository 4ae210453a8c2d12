// Several programs as one transaction. They run one after the other, each seeing what those before
// it would write; the transaction compares everything that any of them rests on. If it commits, all
// of them took place at that one instant, in that order; if not, none did.
import type { Content, Entry, Known, Operation, Transaction } from './program.ts';

export type Listing = {
  readonly entries: readonly Entry[];
  /** The entries were exact at this revision. */
  readonly revision: bigint;
};

/** etcd's limit is 128 comparisons and 128 operations. */
const MOST = 120;

/** Of a longer listing the members are not compared, only that none was added or changed. */
export const SHORT_LISTING = 24;

/** The revision of what is only about to be written; never compared. */
const UNWRITTEN = -1n;

/** Two readings of one key differ: what was in memory is old. */
export class Contradiction extends Error {
  override readonly name = 'Contradiction';
  readonly key: string;

  constructor(key: string) {
    super(`Cannot go on: two readings of "${key}" differ`);
    this.key = key;
  }
}

/** What one program has read within a batch. */
export class ReadSet {
  readonly keys = new Set<string>();
  readonly prefixes = new Set<string>();
}

export class Batch {
  readonly #found = new Map<string, Entry | undefined>();
  readonly #listings = new Map<string, Listing>();
  readonly #compared = new Map<string, bigint>();
  readonly #unchanged = new Map<string, bigint>();
  readonly #operations = new Map<string, Operation>();
  /** Listings with what is to be written, until more is. */
  readonly #overlaid = new Map<string, readonly Entry[]>();

  /** Whether the key was read already. */
  hasFound(key: string): boolean {
    return this.#found.has(key);
  }

  hasListing(prefix: string): boolean {
    return this.#listings.has(prefix);
  }

  /** Takes note of what the store holds. @throws Contradiction */
  note(key: string, entry: Entry | undefined): void {
    const other = this.#found.get(key);
    if (this.#found.has(key) && other?.modRevision !== entry?.modRevision) {
      throw new Contradiction(key);
    }
    this.#found.set(key, entry);
  }

  noteListing(prefix: string, listing: Listing): void {
    if (listing.entries.length <= SHORT_LISTING) {
      for (const entry of listing.entries) this.note(entry.key, entry);
    }
    this.#listings.set(prefix, listing);
    this.#overlaid.delete(prefix);
  }

  /** What a program gets to see of keys and listings that were noted. */
  readonly known: Known = {
    get: (key) => {
      const operation = this.#operations.get(key);
      if (operation !== undefined) return written(operation);
      if (!this.#found.has(key)) throw new RangeError(`Cannot answer "${key}": it was not read`);
      return this.#found.get(key);
    },
    list: (prefix) => {
      const listing = this.#listings.get(prefix);
      if (listing === undefined) {
        throw new RangeError(`Cannot answer "${prefix}": it was not read`);
      }
      const known = this.#overlaid.get(prefix) ?? this.#overlay(prefix, listing.entries);
      this.#overlaid.set(prefix, known);
      return known;
    },
  };

  /**
   * Adds what a finished program rests on and writes. False, and nothing is added, when the
   * transaction would become too large. @throws Contradiction
   */
  accept(reads: ReadSet, transaction: Transaction | undefined): boolean {
    const { compared, unchanged } = this.#comparisons(reads, transaction);
    const operations = transaction?.operations ?? [];
    const added = operations.filter(({ key }) => !this.#operations.has(key)).length;
    const comparisons = this.#compared.size + compared.size + this.#unchanged.size + unchanged.size;
    if (comparisons > MOST || this.#operations.size + added > MOST) return false;
    for (const [key, revision] of compared) this.#compared.set(key, revision);
    for (const [prefix, since] of unchanged) this.#unchanged.set(prefix, since);
    for (const operation of operations) this.#write(operation);
    return true;
  }

  get transaction(): Transaction {
    return {
      compare: [...this.#compared].map(([key, modRevision]) => ({ key, modRevision })),
      unchanged: [...this.#unchanged].map(([prefix, since]) => ({ prefix, since })),
      operations: [...this.#operations.values()].filter(
        ({ kind, key }) => kind === 'put' || this.#compared.get(key) !== 0n,
      ),
    };
  }

  /** The compared listings as they are after a commit at the revision. */
  listingsAfter(revision: bigint): Map<string, Listing> {
    return new Map(
      [...this.#unchanged.keys()].map((prefix) => {
        const entries = this.known.list(prefix);
        return [prefix, { entries: settled(entries, revision), revision }];
      }),
    );
  }

  #write(operation: Operation): void {
    this.#operations.set(operation.key, operation);
    for (const prefix of this.#overlaid.keys()) {
      if (operation.key.startsWith(prefix)) this.#overlaid.delete(prefix);
    }
  }

  #comparisons(reads: ReadSet, transaction: Transaction | undefined) {
    const compared = new Map<string, bigint>();
    const unchanged = new Map<string, bigint>();
    for (const prefix of reads.prefixes) {
      const listing = this.#listings.get(prefix);
      if (listing === undefined) continue;
      if (!this.#unchanged.has(prefix)) unchanged.set(prefix, listing.revision);
      if (listing.entries.length > SHORT_LISTING) continue;
      for (const { key, modRevision } of listing.entries) compared.set(key, modRevision);
    }
    for (const key of reads.keys) compared.set(key, this.#found.get(key)?.modRevision ?? 0n);
    for (const { key, modRevision } of transaction?.compare ?? []) {
      if (modRevision === UNWRITTEN || this.#operations.has(key)) continue;
      const before = compared.get(key) ?? this.#compared.get(key);
      if (before !== undefined && before !== modRevision) throw new Contradiction(key);
      compared.set(key, modRevision);
    }
    for (const key of compared.keys()) if (this.#compared.has(key)) compared.delete(key);
    return { compared, unchanged };
  }

  #overlay(prefix: string, entries: readonly Entry[]): readonly Entry[] {
    const changes = [...this.#operations.values()].filter(({ key }) => key.startsWith(prefix));
    if (changes.length === 0) return entries;
    const merged = new Map(entries.map((entry) => [entry.key, entry]));
    for (const change of changes) {
      const entry = written(change);
      if (entry === undefined) merged.delete(change.key);
      else merged.set(change.key, entry);
    }
    return [...merged.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }
}

/** The entries as written at the revision; the same list where nothing of it was. */
function settled(entries: readonly Entry[], modRevision: bigint): readonly Entry[] {
  if (entries.every((entry) => entry.modRevision !== UNWRITTEN)) return entries;
  return entries.map((entry) =>
    entry.modRevision === UNWRITTEN ? { key: entry.key, value: entry.value, modRevision } : entry,
  );
}

/** An entry that is about to be written; its text is made when it is needed. */
class WrittenEntry implements Entry {
  readonly key: string;
  readonly content: Content;
  readonly modRevision = UNWRITTEN;

  constructor(key: string, content: Content) {
    this.key = key;
    this.content = content;
  }

  get value(): string {
    return this.content.text;
  }
}

function written(operation: Operation): Entry | undefined {
  if (operation.kind === 'delete') return undefined;
  const { key, content } = operation;
  if (content !== undefined) return new WrittenEntry(key, content);
  return { key, value: operation.value, modRevision: UNWRITTEN };
}
