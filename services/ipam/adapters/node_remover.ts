// The removal of a node that is gone: what is assigned to it, its blocks, at last its record. Repeated,
// it goes on where it ended. A workload that was about to start there cannot any more: its endpoint is
// written only while its handle exists.
import { IpamError } from '../core/ipam_error.ts';
import {
  deleteNode,
  ENDPOINTS_PREFIX,
  handlesOfNode,
  refuseWorkloads,
} from '../core/programs/leaving_node.ts';
import type { RecordStore } from '../ports.ts';
import type { AddressBook } from './address_book.ts';
import type { ProgramRunner } from './program_runner.ts';
import { callOptions } from './store_access.ts';

const PAGE = 500;
/** A node that still takes blocks so often is not gone. */
const MOST_ROUNDS = 5;

export type RemovedNode = {
  readonly addresses: readonly string[];
  readonly blocks: readonly string[];
  /** When the Node was deleted; 0n: it did not exist. */
  readonly revision: bigint;
};

export class NodeRemover {
  readonly #store: RecordStore;
  readonly #runner: ProgramRunner;
  readonly #book: AddressBook;

  constructor(store: RecordStore, runner: ProgramRunner, book: AddressBook) {
    this.#store = store;
    this.#runner = runner;
    this.#book = book;
  }

  /** @throws IpamError 'precondition' while workloads are on the node, or it is not gone */
  async remove(node: string, signal?: AbortSignal): Promise<RemovedNode> {
    await this.#refuseWorkloads(node, signal);
    const addresses: string[] = [];
    const blocks: string[] = [];
    for (let round = 0; round < MOST_ROUNDS; round++) {
      for (const handleId of await this.#runner.run(() => handlesOfNode(node), signal)) {
        const leaving = { isFenced: true, isUnused: true };
        const { released } = await this.#book.releaseByHandle(handleId, leaving, signal);
        addresses.push(...released);
      }
      blocks.push(...(await this.#book.releaseAffinity(node, undefined, false, signal)));
      const { group } = this.#runner;
      const done = await group.run(`node "${node}"`, () => deleteNode(node), signal);
      if (done.isGone) return { addresses, blocks, revision: done.revision };
    }
    throw new IpamError(
      'precondition',
      `Cannot delete Node "${node}": it still takes blocks; stop its services first`,
    );
  }

  async #refuseWorkloads(node: string, signal: AbortSignal | undefined): Promise<void> {
    let after: string | undefined;
    do {
      const page = await this.#store.list(ENDPOINTS_PREFIX, {
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
        ...callOptions(signal),
      });
      refuseWorkloads(node, page.entries);
      after = page.more ? page.entries.at(-1)?.key : undefined;
    } while (after !== undefined);
  }
}
