// The endpoints of this node, change by change: the same array as long as nothing changed, so that whoever asked before
// sees by that alone that there is nothing to do.
import type { WorkloadEndpoint } from '@calico/model';
import type { ClusterView } from '../ports.ts';
import { endpointsOf } from './followed_view.ts';
import { listChanges } from './policy/graph/list_changes.ts';
import type { WorkloadRecord } from './workload.ts';
import type { WorkloadBook } from './workload_book.ts';
import { endpointKey, type LocalEndpoint, localEndpoints, recordKey } from './workload_endpoint.ts';

export class LocalEndpoints {
  readonly #node: string;
  readonly #view: ClusterView;
  readonly #book: WorkloadBook;
  #records: readonly WorkloadRecord[] = [];
  #stored: readonly WorkloadEndpoint[] = [];
  readonly #recordsByKey = new Map<string, readonly WorkloadRecord[]>();
  readonly #storedByKey = new Map<string, WorkloadEndpoint>();
  readonly #byKey = new Map<string, readonly LocalEndpoint[]>();
  #list: readonly LocalEndpoint[] = [];
  #endpoints: readonly WorkloadEndpoint[] = [];

  constructor(node: string, view: ClusterView, book: WorkloadBook) {
    this.#node = node;
    this.#view = view;
    this.#book = book;
  }

  list(): readonly LocalEndpoint[] {
    this.#follow();
    return this.#list;
  }

  endpoints(): readonly WorkloadEndpoint[] {
    this.#follow();
    return this.#endpoints;
  }

  #follow(): void {
    const keys = new Set([
      ...this.#book.takeRemarked(),
      ...this.#followRecords(),
      ...this.#followStored(),
    ]);
    let hasChanged = false;
    for (const key of keys) hasChanged = this.#settle(key) || hasChanged;
    if (!hasChanged) return;
    const list: LocalEndpoint[] = [];
    for (const some of this.#byKey.values()) list.push(...some);
    this.#list = list;
    this.#endpoints = this.#list.map(({ endpoint }) => endpoint);
  }

  #followRecords(): ReadonlySet<string> {
    const records = this.#book.records;
    const { removed, added } = listChanges(this.#records, records);
    const keys = new Set([...removed, ...added].map(recordKey));
    for (const record of removed) {
      const others = this.#recordsByKey.get(recordKey(record)) ?? [];
      this.#recordsByKey.set(
        recordKey(record),
        others.filter((other) => other !== record),
      );
    }
    for (const record of added) {
      const others = this.#recordsByKey.get(recordKey(record)) ?? [];
      this.#recordsByKey.set(recordKey(record), [...others, record]);
    }
    for (const key of keys) {
      if (this.#recordsByKey.get(key)?.length === 0) this.#recordsByKey.delete(key);
    }
    this.#records = records;
    return keys;
  }

  #followStored(): ReadonlySet<string> {
    const stored = endpointsOf(this.#node, this.#view);
    const { removed, added } = listChanges(this.#stored, stored);
    for (const endpoint of removed) this.#storedByKey.delete(endpointKey(endpoint));
    for (const endpoint of added) this.#storedByKey.set(endpointKey(endpoint), endpoint);
    this.#stored = stored;
    return new Set([...removed, ...added].map(endpointKey));
  }

  /** True when something else than before belongs to the key. */
  #settle(key: string): boolean {
    const stored = this.#storedByKey.get(key);
    const now = localEndpoints(
      this.#node,
      this.#recordsByKey.get(key) ?? [],
      stored === undefined ? [] : [stored],
      (endpoint) => this.#book.isDeleted(endpoint),
    );
    const before = this.#byKey.get(key) ?? [];
    if (now.length === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, now);
    return (
      now.length !== before.length ||
      now.some(
        ({ endpoint, record }, index) =>
          before[index]?.endpoint !== endpoint || before[index].record !== record,
      )
    );
  }
}
