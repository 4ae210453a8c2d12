// Puts endpoints back into the store that were lost there, for example with an old backup: with their
// addresses, if these are still to be had. A node that was declared gone must not take them back.
import type { AddressBook, ClusterView, Log, ResourceStore } from '../ports.ts';
import { endpointsOf } from './followed_view.ts';
import type { WorkloadRecord } from './workload.ts';
import type { WorkloadBook } from './workload_book.ts';
import { endpointKey, endpointOf } from './workload_endpoint.ts';
import { WorkloadError } from './workload_error.ts';

export type EndpointKeeperParts = {
  readonly node: string;
  readonly book: WorkloadBook;
  readonly view: ClusterView;
  readonly store: ResourceStore;
  readonly addresses: AddressBook;
  readonly log: Log;
};

export class EndpointKeeper {
  readonly #parts: EndpointKeeperParts;
  /** Endpoints that cannot be written, and why; told once. */
  readonly #refused = new Map<string, string>();
  #isBehind = false;

  constructor(parts: EndpointKeeperParts) {
    this.#parts = parts;
  }

  /** The view was too old to say whether an endpoint is lost: ask again with every revision. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Throws `unavailable` to be tried again. */
  async ensure(): Promise<void> {
    const { node, book, view } = this.#parts;
    if (!view.inSync) return;
    this.#isBehind = false;
    const stored = new Set(endpointsOf(node, view).map(endpointKey));
    for (const { workload } of book.records) {
      const record = book.get(workload);
      // Not before its address is its own.
      if (record?.phase !== 'present' || record.leased !== undefined) continue;
      const { namespace } = workload;
      if (stored.has(`${namespace}/${record.endpointName}`)) continue;
      const written = book.writtenRevision(namespace, record.endpointName);
      if (written !== undefined && written > view.revision) {
        this.#isBehind = true;
        continue;
      }
      await book.run(workload, async () => {
        if (book.get(workload)?.phase === 'present') await this.#writeAgain(record);
      });
    }
  }

  async #writeAgain(record: WorkloadRecord): Promise<void> {
    const { book, log } = this.#parts;
    const name = record.endpointName;
    const { namespace } = record.workload;
    try {
      const revision = await this.#write(record);
      book.noteWritten(namespace, name, revision);
      this.#refused.delete(`${namespace}/${name}`);
      log.warn('endpoint was missing in the store, it is written again', { name });
    } catch (cause) {
      if (!(cause instanceof WorkloadError) || cause.kind === 'unavailable') throw cause;
      if (this.#refused.get(`${namespace}/${name}`) === cause.message) return;
      this.#refused.set(`${namespace}/${name}`, cause.message);
      log.error('endpoint is missing in the store and cannot be written: its address is lost', {
        name,
        cause: cause.message,
      });
    }
  }

  /** Where IPAM has lost the addresses too, they are assigned again first. */
  async #write(record: WorkloadRecord): Promise<bigint> {
    const { node, store, addresses } = this.#parts;
    const { handle } = record;
    const endpoint = endpointOf(node, record);
    try {
      return await store.writeEndpoint(endpoint, handle);
    } catch (cause) {
      if (!(cause instanceof WorkloadError) || cause.kind !== 'precondition') throw cause;
    }
    const requestedAddresses = record.addresses.map(({ address }) => address);
    await addresses.assign({ handle, workload: { ...record.workload, requestedAddresses } });
    return store.writeEndpoint(endpoint, handle);
  }
}
