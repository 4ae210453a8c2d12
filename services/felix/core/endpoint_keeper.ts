// Puts endpoints back into the store that were lost there, for example with an old backup.
import type { ClusterView, Log, ResourceStore } from '../ports.ts';
import { endpointsOf } from './policy_input_source.ts';
import type { WorkloadBook } from './workload_book.ts';
import { endpointKey, endpointOf } from './workload_endpoint.ts';

export class EndpointKeeper {
  readonly #node: string;
  readonly #book: WorkloadBook;
  readonly #view: ClusterView;
  readonly #store: ResourceStore;
  readonly #log: Log;

  constructor(parts: {
    readonly node: string;
    readonly book: WorkloadBook;
    readonly view: ClusterView;
    readonly store: ResourceStore;
    readonly log: Log;
  }) {
    this.#node = parts.node;
    this.#book = parts.book;
    this.#view = parts.view;
    this.#store = parts.store;
    this.#log = parts.log;
  }

  /** Throws `unavailable` to be tried again. */
  async ensure(): Promise<void> {
    if (!this.#view.inSync) return;
    const stored = new Set(endpointsOf(this.#node, this.#view).map(endpointKey));
    for (const { workload } of this.#book.records) {
      const record = this.#book.get(workload);
      // Not before its address is its own.
      if (record?.phase !== 'present' || record.leased !== undefined) continue;
      const { namespace } = workload;
      if (stored.has(`${namespace}/${record.endpointName}`)) continue;
      const written = this.#book.writtenRevision(namespace, record.endpointName);
      if (written !== undefined && written > this.#view.revision) continue;
      await this.#book.run(workload, async () => {
        if (this.#book.get(workload)?.phase !== 'present') return;
        this.#log.warn('endpoint was missing in the store, writing it again', {
          name: record.endpointName,
        });
        const revision = await this.#store.writeEndpoint(endpointOf(this.#node, record));
        this.#book.noteWritten(namespace, record.endpointName, revision);
      });
    }
  }
}
