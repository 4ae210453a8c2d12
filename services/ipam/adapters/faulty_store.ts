// A store whose every operation can be held up, refused, have its answer lost, or take effect long after
// its caller has given up: whatever a network and a paused etcd can do to a request.
import {
  type CallOptions,
  type Entry,
  type Listing,
  type ListOptions,
  StoreUnavailable,
  type Transaction,
  type TransactionResult,
} from '@calico/store';
import type { RecordStore } from '../ports.ts';

export type Fate =
  | 'done'
  /** Never sent. */
  | 'refused'
  /** Takes effect, but nobody learns of it. */
  | 'answer-lost'
  /** The caller is told that the outcome is unknown; it takes effect later, if it still can. */
  | 'late';

export interface Faults {
  /** Asked before an operation takes effect; may wait. */
  before(kind: 'read' | 'commit'): Promise<Fate>;
  /** Asked between the effect and its answer; may wait. */
  after(kind: 'read' | 'commit'): Promise<void>;
  /** Takes an effect that is to happen later. */
  keep(effect: () => Promise<unknown>): void;
}

export class FaultyStore implements RecordStore {
  readonly #store: RecordStore;
  readonly #faults: Faults;

  constructor(store: RecordStore, faults: Faults) {
    this.#store = store;
    this.#faults = faults;
  }

  get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    return this.#read(() => this.#store.get(key, options));
  }

  list(prefix: string, options?: ListOptions): Promise<Listing> {
    return this.#read(() => this.#store.list(prefix, options));
  }

  async commit(transaction: Transaction): Promise<TransactionResult> {
    const commit = (): Promise<TransactionResult> => this.#store.commit(transaction);
    const fate = await this.#faults.before('commit');
    if (fate === 'refused') throw unavailable('nothing-changed');
    if (fate === 'late') {
      this.#faults.keep(commit);
      throw unavailable('unknown');
    }
    const result = await commit();
    await this.#faults.after('commit');
    if (fate === 'answer-lost') throw unavailable('unknown');
    return result;
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    if ((await this.#faults.before('read')) !== 'done') throw unavailable('nothing-changed');
    const found = await read();
    await this.#faults.after('read');
    return found;
  }
}

function unavailable(outcome: StoreUnavailable['outcome']): StoreUnavailable {
  return new StoreUnavailable(outcome, 'Cannot reach the store: a fault of the test');
}
