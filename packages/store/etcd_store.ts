import type { ICompare, IRequestOp } from 'etcd3';
import { EtcdClient, type EtcdOptions } from './etcd_client.ts';
import { prefixEnd, toBytes, toEntry } from './etcd_entry.ts';
import { grantLease } from './etcd_lease.ts';
import { watchEtcd } from './etcd_watch.ts';
import type {
  CallOptions,
  Entry,
  Lease,
  Listing,
  ListOptions,
  Operation,
  PrefixComparison,
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
    const { kvs } = await this.#client.read(
      `read "${key}"`,
      ({ kv }, options) => kv.range({ key: toBytes(key) }, options),
      signal,
    );
    return kvs[0] && toEntry(kvs[0]);
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
    const { header, kvs, more } = await this.#client.read(
      `list "${prefix}"`,
      ({ kv }, options) =>
        kv.range(
          {
            key: toBytes(start),
            range_end: prefixEnd(prefix),
            limit,
            ...(revision === undefined ? {} : { revision: revision.toString() }),
          },
          options,
        ),
      signal,
      revision,
    );
    return { entries: kvs.map(toEntry), revision: revision ?? BigInt(header.revision), more };
  }

  async commit(transaction: Transaction, { signal }: CallOptions = {}): Promise<TransactionResult> {
    checkTransaction(transaction);
    const { compare, unchanged = [], operations } = transaction;
    const request = {
      compare: [
        ...compare.map(({ key, modRevision }) => ({
          key: toBytes(key),
          target: 'Mod' as const,
          result: 'Equal' as const,
          mod_revision: modRevision.toString(),
        })),
        ...unchanged.map(toRangeCompare),
      ],
      success: operations.map(toRequest),
      failure: compare.map(({ key }) => ({ request_range: { key: toBytes(key) } })),
    };
    const { succeeded, header, responses } = await this.#client.write(
      'commit',
      ({ kv }, options) => kv.txn(request, options),
      signal,
    );
    if (succeeded) return { kind: 'committed', revision: BigInt(header.revision) };
    const found = responses.flatMap(({ response_range }) => response_range.kvs.map(toEntry));
    return { kind: 'conflict', current: new Map(found.map((entry) => [entry.key, entry])) };
  }

  watch(prefix: string, fromRevision: bigint, signal: AbortSignal): AsyncIterable<WatchBatch> {
    checkWatchStart(fromRevision);
    return watchEtcd(this.#client, prefix, fromRevision, signal);
  }

  async lease(ttlSeconds: number, signal: AbortSignal): Promise<Lease> {
    return await grantLease(this.#client, ttlSeconds, signal);
  }

  async clusterId(): Promise<string> {
    const { header } = await this.#client.read('read the cluster id', ({ kv }, options) =>
      kv.range({ key: Buffer.of(0), count_only: true }, options),
    );
    return BigInt(header.cluster_id).toString(16);
  }

  close(): void {
    this.#client.etcd.close();
  }
}

/**
 * Holds when every key of the range has an older modification revision; also for an empty range. The
 * client's types do not know `range_end`, its protocol file does (etcd 3.3 and newer).
 */
function toRangeCompare({ prefix, since }: PrefixComparison): ICompare & { range_end: Buffer } {
  return {
    key: toBytes(prefix),
    range_end: prefixEnd(prefix),
    target: 'Mod',
    result: 'Less',
    mod_revision: (since + 1n).toString(),
  };
}

function toRequest(operation: Operation): IRequestOp {
  const key = toBytes(operation.key);
  if (operation.kind === 'delete') return { request_delete_range: { key } };
  const { value, lease } = operation;
  return { request_put: { key, value: toBytes(value), ...(lease ? { lease: lease.id } : {}) } };
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
