import { EtcdClient, type EtcdOptions } from './etcd_client.ts';
import { prefixEnd } from './etcd_entry.ts';
import { grantLease } from './etcd_lease.ts';
import { watchEtcd } from './etcd_watch.ts';
import type {
  CallOptions,
  Entry,
  Lease,
  Listing,
  ListOptions,
  Store,
  Transaction,
  TransactionResult,
  WatchBatch,
} from './store.ts';
import { checkTransaction, checkWatchStart } from './transaction_rules.ts';

/** Entries fetched at once by a list without limit. */
const PAGE = 2_000;

/**
 * A store on etcd v3. Answers at once; connects when used and again whenever etcd comes back.
 * Requests fail with StoreUnavailable within `requestTimeoutMs`, at once while etcd refuses
 * connections. Throws TypeError for endpoints that are no URLs.
 */
export function openEtcd(options: EtcdOptions): Store {
  checkEndpoints(options.endpoints);
  return new EtcdStore(new EtcdClient(options));
}

class EtcdStore implements Store {
  readonly #client: EtcdClient;

  constructor(client: EtcdClient) {
    this.#client = client;
  }

  async get(key: string, { signal }: CallOptions = {}): Promise<Entry | undefined> {
    const { entries } = await this.#client.read(
      `read "${key}"`,
      ({ kv }, request) => kv.range({ key }, request),
      signal,
    );
    return entries[0];
  }

  async list(prefix: string, options: ListOptions = {}): Promise<Listing> {
    const { limit, signal } = options;
    if (limit !== undefined) return await this.#page(prefix, { ...options, limit });
    const entries: Entry[] = [];
    let { after, revision } = options;
    for (;;) {
      const page = await this.#page(prefix, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
        ...(revision === undefined ? {} : { revision }),
        ...(signal ? { signal } : {}),
      });
      entries.push(...page.entries);
      revision = page.revision;
      if (!page.more) return { entries, revision, more: false };
      after = page.entries.at(-1)?.key;
    }
  }

  async #page(
    prefix: string,
    { limit = PAGE, after, revision, signal }: ListOptions,
  ): Promise<Listing> {
    const start = after !== undefined && after >= prefix ? `${after}\0` : prefix || '\0';
    const range = { key: start, end: prefixEnd(prefix), limit, revision };
    const page = await this.#client.read(
      `list "${prefix}"`,
      ({ kv }, request) => kv.range(range, request),
      signal,
      revision,
    );
    return { entries: page.entries, revision: revision ?? page.revision, more: page.more };
  }

  async commit(transaction: Transaction, { signal }: CallOptions = {}): Promise<TransactionResult> {
    checkTransaction(transaction);
    return await this.#client.write(
      'commit',
      ({ kv }, request) => kv.txn(transaction, request),
      signal,
    );
  }

  watch(prefix: string, fromRevision: bigint, signal: AbortSignal): AsyncIterable<WatchBatch> {
    checkWatchStart(fromRevision);
    return watchEtcd(this.#client, prefix, fromRevision, signal);
  }

  async lease(ttlSeconds: number, signal: AbortSignal): Promise<Lease> {
    return await grantLease(this.#client, ttlSeconds, signal);
  }

  async clusterId(): Promise<string> {
    const { clusterId } = await this.#client.read('read the cluster id', ({ kv }, request) =>
      kv.range({ key: '\0', countOnly: true }, request),
    );
    return clusterId.toString(16);
  }

  close(): void {
    this.#client.close();
  }
}

function checkEndpoints(endpoints: readonly string[]): void {
  if (endpoints.length === 0) throw new TypeError('Cannot open etcd: no endpoints given');
  for (const endpoint of endpoints) {
    if (!/^https?:\/\/[^/]+:\d+$/.test(endpoint)) {
      throw new TypeError(
        `Cannot use etcd endpoint "${endpoint}": expected "http://host:port" or "https://host:port"`,
      );
    }
  }
  const schemes = new Set(endpoints.map((endpoint) => endpoint.split(':')[0]));
  if (schemes.size > 1) {
    throw new TypeError(`Cannot use etcd endpoints "${endpoints.join(',')}": http and https mixed`);
  }
}
