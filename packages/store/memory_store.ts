import {
  type CallOptions,
  CompactedError,
  type Entry,
  type Lease,
  type Listing,
  type ListOptions,
  type Store,
  StoreUnavailable,
  type Transaction,
  type TransactionResult,
  type WatchBatch,
  type WatchEvent,
} from './store.ts';
import { checkTransaction, checkWatchStart } from './transaction_rules.ts';

/** The states of one key, oldest first; undefined is a deletion. */
type Version = { readonly revision: bigint; readonly entry: Entry | undefined };

class MemoryLease implements Lease {
  readonly id: string;
  readonly lost: Promise<void>;
  readonly keys = new Set<string>();
  readonly #end: () => void;
  readonly #revoke: (lease: MemoryLease) => void;
  alive = true;

  constructor(id: string, revoke: (lease: MemoryLease) => void) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.id = id;
    this.lost = promise;
    this.#end = resolve;
    this.#revoke = revoke;
  }

  end(): void {
    this.alive = false;
    this.#end();
  }

  async revoke(): Promise<void> {
    if (this.alive) this.#revoke(this);
  }
}

/**
 * A store in memory with etcd's semantics: revisions, history, compaction, transactions, leases.
 * For unit tests: `interrupt()` is an etcd that went away, `expire()` a lease that ran out.
 */
export class MemoryStore implements Store {
  #revision = 1n;
  #compacted = 0n;
  #available = true;
  #outage = Promise.withResolvers<void>();
  #changed = Promise.withResolvers<void>();
  #leases = 0;
  readonly #versions = new Map<string, Version[]>();
  readonly #history: WatchBatch[] = [];
  readonly #clusterId: string;

  constructor(clusterId = 'c0ffee') {
    this.#clusterId = clusterId;
  }

  /** Revision of the newest change. */
  get revision(): bigint {
    return this.#revision;
  }

  async get(key: string, options: CallOptions = {}): Promise<Entry | undefined> {
    await this.#turn(options.signal);
    return this.#at(key, this.#revision);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    await this.#turn(options.signal);
    const { limit, after = '', revision = this.#revision } = options;
    if (revision < this.#compacted) throw new CompactedError(this.#compacted);
    const keys = [...this.#versions.keys()]
      .filter((key) => key.startsWith(prefix) && key > after)
      .toSorted(compareText);
    const found = keys.flatMap((key) => this.#at(key, revision) ?? []);
    const entries = limit === undefined ? found : found.slice(0, limit);
    return { entries, revision, more: entries.length < found.length };
  }

  async commit(transaction: Transaction, options: CallOptions = {}): Promise<TransactionResult> {
    checkTransaction(transaction);
    await this.#turn(options.signal);
    const { compare, unchanged = [], operations } = transaction;
    const current = new Map<string, Entry>();
    let holds = true;
    for (const { key, modRevision } of compare) {
      const entry = this.#at(key, this.#revision);
      if (entry) current.set(key, entry);
      if ((entry?.modRevision ?? 0n) !== modRevision) holds = false;
    }
    for (const { prefix, since } of unchanged) {
      for (const key of this.#versions.keys()) {
        if (!key.startsWith(prefix)) continue;
        if ((this.#at(key, this.#revision)?.modRevision ?? 0n) > since) holds = false;
      }
    }
    if (!holds) return { kind: 'conflict', current };
    const events: WatchEvent[] = [];
    const revision = this.#revision + 1n;
    for (const operation of operations) {
      const { key } = operation;
      const old = this.#at(key, this.#revision);
      if (operation.kind === 'put') {
        const lease = operation.lease as MemoryLease | undefined;
        if (lease && !lease.alive) {
          throw new StoreUnavailable('nothing-changed', `Cannot put "${key}": its lease is lost`);
        }
        const createRevision = old?.createRevision ?? revision;
        const entry = { key, value: operation.value, modRevision: revision, createRevision };
        events.push({ kind: 'put', entry });
        lease?.keys.add(key);
      } else if (old) {
        events.push({ kind: 'delete', key, revision });
      }
    }
    this.#append(events);
    return { kind: 'committed', revision: this.#revision };
  }

  async *watch(
    prefix: string,
    fromRevision: bigint,
    signal: AbortSignal,
  ): AsyncGenerator<WatchBatch, void, undefined> {
    checkWatchStart(fromRevision);
    const aborted = Promise.withResolvers<void>();
    const abort = (): void => aborted.resolve();
    signal.addEventListener('abort', abort, { once: true });
    try {
      let next = fromRevision;
      while (!signal.aborted) {
        if (!this.#available) throw unavailable('watch');
        if (next <= this.#compacted) throw new CompactedError(this.#compacted);
        const changed = this.#changed.promise;
        const batch = this.#history.find(({ revision }) => revision >= next);
        if (batch === undefined) {
          await Promise.race([changed, aborted.promise, this.#outage.promise]);
          continue;
        }
        next = batch.revision + 1n;
        const events = batch.events.filter((event) => keyOf(event).startsWith(prefix));
        if (events.length > 0) yield { revision: batch.revision, events };
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async lease(_ttlSeconds: number, signal: AbortSignal): Promise<Lease> {
    await this.#turn(signal);
    const lease = new MemoryLease(String(++this.#leases), (revoked) => this.expire(revoked));
    signal.addEventListener('abort', () => this.expire(lease), { once: true });
    return lease;
  }

  async clusterId(): Promise<string> {
    await this.#turn(undefined);
    return this.#clusterId;
  }

  close(): void {
    this.interrupt();
  }

  /** Calls fail and watches end until `resume()`. */
  interrupt(): void {
    this.#available = false;
    this.#outage.resolve();
  }

  resume(): void {
    this.#available = true;
    this.#outage = Promise.withResolvers<void>();
  }

  /** Forgets history up to `revision`; states at it stay readable. */
  compact(revision: bigint): void {
    this.#compacted = revision;
    const kept = this.#history.filter((batch) => batch.revision > revision);
    this.#history.splice(0, this.#history.length, ...kept);
  }

  /** Ends a lease and deletes its keys. */
  expire(lease: Lease): void {
    const { alive, keys } = lease as MemoryLease;
    if (!alive) return;
    (lease as MemoryLease).end();
    const revision = this.#revision + 1n;
    const live = [...keys].filter((key) => this.#at(key, this.#revision) !== undefined);
    this.#append(live.map((key) => ({ kind: 'delete', key, revision })));
  }

  /** Every call takes a turn of the event loop, as a real one would, and fails during an outage. */
  async #turn(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    await Promise.resolve();
    if (!this.#available) throw unavailable('call');
  }

  #at(key: string, revision: bigint): Entry | undefined {
    return this.#versions.get(key)?.findLast((version) => version.revision <= revision)?.entry;
  }

  #append(events: readonly WatchEvent[]): void {
    if (events.length === 0) return;
    const revision = ++this.#revision;
    for (const event of events) {
      const key = keyOf(event);
      const versions = this.#versions.get(key) ?? [];
      versions.push({ revision, entry: event.kind === 'put' ? event.entry : undefined });
      this.#versions.set(key, versions);
    }
    this.#history.push({ revision, events });
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

function keyOf(event: WatchEvent): string {
  return event.kind === 'put' ? event.entry.key : event.key;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function unavailable(action: string): StoreUnavailable {
  return new StoreUnavailable('nothing-changed', `Cannot ${action}: the store is interrupted`);
}
