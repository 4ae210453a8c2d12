// The store's interface over records in memory, with an await before every answer.
import type { Entry, Listing, Transaction, TransactionResult } from '@calico/store';
import { RecordMap } from '../core/record_map.ts';
import type { RecordStore } from '../ports.ts';

export class RecordMapStore implements RecordStore {
  readonly records: RecordMap;
  /** Called before every answer; may throw, as a store that is away does. */
  beforeAnswer: (kind: 'get' | 'list' | 'commit') => Promise<void> | void = () => {};
  commits = 0;

  constructor(records = new RecordMap()) {
    this.records = records;
  }

  async get(key: string): Promise<Entry | undefined> {
    await this.beforeAnswer('get');
    return withCreation(this.records.read({ keys: [key] }).get(key));
  }

  async list(prefix: string): Promise<Listing> {
    await this.beforeAnswer('list');
    const entries = this.records.read({ prefixes: [prefix] }).list(prefix);
    return {
      entries: entries.flatMap((entry) => withCreation(entry) ?? []),
      revision: this.records.revision,
      more: false,
    };
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    await this.beforeAnswer('commit');
    if (this.records.commit(transaction)) {
      this.commits++;
      return { kind: 'committed', revision: this.records.revision };
    }
    const keys = transaction.compare.map(({ key }) => key);
    const known = this.records.read({ keys });
    return {
      kind: 'conflict',
      current: new Map(
        keys.flatMap((key) => {
          const entry = withCreation(known.get(key));
          return entry === undefined ? [] : [[key, entry] as const];
        }),
      ),
    };
  }
}

function withCreation(
  entry: { key: string; value: string; modRevision: bigint } | undefined,
): Entry | undefined {
  return entry === undefined ? undefined : { ...entry, createRevision: entry.modRevision };
}
