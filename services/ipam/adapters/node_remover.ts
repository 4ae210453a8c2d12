// The removal of a node that is gone: what is assigned to it, its blocks, at last its record. Repeated,
// it goes on where it ended. A workload that was about to start there cannot any more: its endpoint is
// written only while its handle exists.
import { IpamError } from '../core/ipam_error.ts';
import { elsewhereMark } from '../core/programs/elsewhere.ts';
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
/** A node that still takes addresses or blocks so often is not gone. */
const MOST_ROUNDS = 10;

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
    const addresses: string[] = [];
    const blocks: string[] = [];
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const elsewhere = await this.#runner.run(() => elsewhereMark(node), signal);
      // Whatever takes its time is followed by another look: workloads may have started meanwhile.
      await this.#refuseWorkloads(node, signal);
      const released = await this.#releaseHandles(node, signal);
      addresses.push(...released);
      if (released.length > 0) continue;
      const taken = await this.#book.releaseAffinity(node, undefined, false, signal);
      blocks.push(...taken);
      if (taken.length > 0) continue;
      const { group } = this.#runner;
      const done = await group.run(`node "${node}"`, () => deleteNode(node, elsewhere), signal);
      if (done.isGone) return { addresses, blocks, revision: done.revision };
    }
    throw new IpamError(
      'precondition',
      `Cannot delete Node "${node}": it still takes addresses or blocks; stop its services first`,
    );
  }

  /** Nothing of a handle that has lost its record is released: it is left to a check. */
  async #releaseHandles(node: string, signal: AbortSignal | undefined): Promise<string[]> {
    const addresses: string[] = [];
    for (const handleId of await this.#runner.run(() => handlesOfNode(node), signal)) {
      const leaving = { isFenced: true, isUnused: true };
      const { released } = await this.#book.releaseByHandle(handleId, leaving, signal);
      addresses.push(...released);
    }
    return addresses;
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
