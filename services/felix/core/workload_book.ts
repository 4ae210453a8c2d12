// The workloads of this node: the journal and its copy in memory, kept in step.
import type { WorkloadEndpoint } from '@calico/model';
import type { Journal } from '../ports.ts';
import { KeyedQueue } from './keyed_queue.ts';
import { type WorkloadKey, type WorkloadRecord, workloadKeyText } from './workload.ts';
import { WorkloadError } from './workload_error.ts';

/** More than this many attachments under way at once are told to come back later. */
const MAX_OPERATIONS = 256;

export class WorkloadBook {
  readonly #journal: Journal;
  readonly #records = new Map<string, WorkloadRecord>();
  readonly #queue = new KeyedQueue();
  /** Deleted endpoints that the view may still hold. */
  readonly #deleted = new Map<
    string,
    { readonly containerId: string; readonly revision: bigint }
  >();
  readonly #written = new Map<string, bigint>();
  /** Endpoints whose marks of deletion have changed since takeRemarked(). */
  #remarked = new Set<string>();
  /** The view was complete up to this revision. */
  #seen = 0n;
  #onChange: () => void = () => {};

  constructor(journal: Journal) {
    this.#journal = journal;
    for (const record of journal.load())
      this.#records.set(workloadKeyText(record.workload), record);
  }

  /** Called after every change of a record. */
  onChange(callback: () => void): void {
    this.#onChange = callback;
  }

  get records(): readonly WorkloadRecord[] {
    return [...this.#records.values()];
  }

  get(key: WorkloadKey): WorkloadRecord | undefined {
    return this.#records.get(workloadKeyText(key));
  }

  /** Operations on one attachment run one after another. */
  run<T>(key: WorkloadKey, operation: () => Promise<T>): Promise<T> {
    if (this.#queue.size >= MAX_OPERATIONS) {
      return Promise.reject(
        new WorkloadError(
          'unavailable',
          `Cannot take another request: ${MAX_OPERATIONS} are under way`,
        ),
      );
    }
    return this.#queue.run(workloadKeyText(key), operation);
  }

  isBusy(key: WorkloadKey): boolean {
    return this.#queue.isBusy(workloadKeyText(key));
  }

  othersOn(record: WorkloadRecord): readonly WorkloadRecord[] {
    const own = workloadKeyText(record.workload);
    return this.records.filter(
      (other) =>
        other.hostInterface === record.hostInterface && workloadKeyText(other.workload) !== own,
    );
  }

  /** In memory at once, so that nobody else takes the same interface; on disk when it resolves. */
  async put(record: WorkloadRecord): Promise<void> {
    const key = workloadKeyText(record.workload);
    const before = this.#records.get(key);
    this.note(record);
    try {
      await this.#journal.write(record);
    } catch (cause) {
      if (before === undefined) this.#records.delete(key);
      else this.#records.set(key, before);
      throw new WorkloadError(
        'unavailable',
        `Cannot write journal entry "${key}": ${text(cause)}`,
        {
          cause,
        },
      );
    }
  }

  /** In memory only: what can be found again after a crash. */
  note(record: WorkloadRecord): void {
    this.#records.set(workloadKeyText(record.workload), record);
    this.#onChange();
  }

  async forget(key: WorkloadKey): Promise<void> {
    await this.#journal.forget(key);
    this.#records.delete(workloadKeyText(key));
    this.#onChange();
  }

  /** The store has deleted the endpoint at this revision; the view may hold it a little longer. */
  noteDeleted(endpoint: {
    readonly namespace: string;
    readonly name: string;
    readonly containerId: string;
    readonly revision: bigint;
  }): void {
    const { containerId, revision } = endpoint;
    const key = `${endpoint.namespace}/${endpoint.name}`;
    this.#deleted.set(key, { containerId, revision });
    this.#remarked.add(key);
    this.#written.delete(key);
  }

  noteWritten(namespace: string, name: string, revision: bigint): void {
    this.#unmark(`${namespace}/${name}`);
    this.#written.set(`${namespace}/${name}`, revision);
  }

  /** Revision at which this process wrote the endpoint last. */
  writtenRevision(namespace: string, name: string): bigint | undefined {
    return this.#written.get(`${namespace}/${name}`);
  }

  isDeleted(endpoint: WorkloadEndpoint): boolean {
    const key = `${endpoint.metadata.namespace ?? ''}/${endpoint.metadata.name}`;
    const mark = this.#deleted.get(key);
    return mark !== undefined && mark.containerId === endpoint.spec.containerID;
  }

  /**
   * Drops the marks of deletions that the view has seen; all marks when it is of another history: etcd was put
   * back from a backup, so what this process wrote there may be lost.
   */
  forgetDeleted(seen: bigint): void {
    if (seen < this.#seen) {
      this.#written.clear();
      for (const key of this.#deleted.keys()) this.#unmark(key);
    }
    this.#seen = seen;
    for (const [key, { revision }] of this.#deleted) if (revision <= seen) this.#unmark(key);
  }

  /** Keys of endpoints of which isDeleted() may say something else than at the last call; for one caller. */
  takeRemarked(): ReadonlySet<string> {
    const keys = this.#remarked;
    if (keys.size > 0) this.#remarked = new Set();
    return keys;
  }

  #unmark(key: string): void {
    if (this.#deleted.delete(key)) this.#remarked.add(key);
  }
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
