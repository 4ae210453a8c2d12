/**
 * The durable truth as a port: keys and values of text, revisions of the whole store, transactions
 * that compare revisions. etcd v3's model (KV, Txn, Watch, Lease).
 */
export interface Store {
  /** The entry, or undefined. Linearizable. */
  get(key: string, options?: CallOptions): Promise<Entry | undefined>;
  /** Entries whose key starts with `prefix`, sorted by key, exact at `revision` of the answer. */
  list(prefix: string, options?: ListOptions): Promise<Listing>;
  /**
   * Applies all operations if every comparison holds, else nothing. Without operations it only tells
   * whether they held, all at one instant. Never retried after sending.
   */
  commit(transaction: Transaction, options?: CallOptions): Promise<TransactionResult>;
  /**
   * Changes under `prefix` with a revision of at least `fromRevision`, in order, one batch per
   * revision. Ends with CompactedError when the history is gone (list again), with StoreUnavailable
   * when the connection is lost; the caller resumes from the last revision seen plus one.
   */
  watch(prefix: string, fromRevision: bigint, signal: AbortSignal): AsyncIterable<WatchBatch>;
  /** A lease that is kept alive until it is closed or lost. */
  lease(ttlSeconds: number, signal: AbortSignal): Promise<Lease>;
  /** Identity of the cluster behind, hexadecimal. */
  clusterId(): Promise<string>;
  close(): void;
}

export type CallOptions = { readonly signal?: AbortSignal };

export type ListOptions = CallOptions & {
  /** At most this many entries. */
  readonly limit?: number;
  /** Continue after this key. */
  readonly after?: string;
  /** Read at this revision instead of the newest. */
  readonly revision?: bigint;
};

export type Entry = {
  readonly key: string;
  readonly value: string;
  /** Revision of the last change of the key. */
  readonly modRevision: bigint;
  readonly createRevision: bigint;
};

export type Listing = {
  readonly entries: readonly Entry[];
  readonly revision: bigint;
  /** True when `limit` cut the answer. */
  readonly more: boolean;
};

export type Comparison = {
  readonly key: string;
  /** 0n: the key does not exist. */
  readonly modRevision: bigint;
};

export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease?: Lease }
  | { readonly kind: 'delete'; readonly key: string };

/** Nothing under the prefix was created or changed after the revision. (Deletions do not count.) */
export type PrefixComparison = { readonly prefix: string; readonly since: bigint };

export type Transaction = {
  readonly compare: readonly Comparison[];
  /** Conditions beside `compare`; together at most 128. */
  readonly unchanged?: readonly PrefixComparison[];
  readonly operations: readonly Operation[];
};

export type TransactionResult =
  | { readonly kind: 'committed'; readonly revision: bigint }
  /** Some comparison failed; `current` holds the compared keys as they are (absent ones left out). */
  | { readonly kind: 'conflict'; readonly current: ReadonlyMap<string, Entry> };

export type WatchBatch = {
  readonly revision: bigint;
  /** Empty: only progress. */
  readonly events: readonly WatchEvent[];
};

export type WatchEvent =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: bigint };

export interface Lease {
  readonly id: string;
  /** Resolves when the lease is lost or revoked. */
  readonly lost: Promise<void>;
  revoke(): Promise<void>;
}

/** The store cannot be reached. `outcome` says whether a commit may have happened. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
  readonly outcome: 'nothing-changed' | 'unknown';

  constructor(outcome: 'nothing-changed' | 'unknown', message: string, options?: ErrorOptions) {
    super(message, options);
    this.outcome = outcome;
  }
}

/** The revision asked for has been compacted away. */
export class CompactedError extends Error {
  override readonly name = 'CompactedError';
  readonly compactRevision: bigint;

  constructor(compactRevision: bigint, options?: ErrorOptions) {
    super(`Cannot read at this revision: compacted up to ${compactRevision}`, options);
    this.compactRevision = compactRevision;
  }
}
