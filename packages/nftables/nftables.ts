// The packet filter of one network namespace, as far as one table goes. What speaks to the kernel stands behind
// this interface, so that single changes can take a shorter way than libnftables.
import { systemLibc, withNetns } from '@calico/netlink';
import { ChangeWatch, type ForeignChange } from './change_watch.ts';
import { isElementsOnly } from './element_messages.ts';
import { ElementSocket } from './element_socket.ts';
import { NftablesError } from './errors.ts';
import { Libnftables } from './libnftables.ts';
import { parseListing } from './listing.ts';
import type { Ruleset, Transaction } from './ruleset.ts';
import { transactionText } from './text.ts';

export interface Nftables {
  /** What the table holds now; undefined: there is no such table. Throws NftablesError. */
  list(): Promise<Ruleset | undefined>;
  /** All commands or none. Nothing is sent for an empty transaction. Throws NftablesError. */
  commit(transaction: Transaction): Promise<void>;
  close(): Promise<void>;
}

export type NftablesOptions = {
  /** Name of the table of family inet; no other table is read or changed. */
  readonly table: string;
  /** Path of a network namespace; undefined: the one this process is in. */
  readonly netns?: string;
  /** Called when somebody else changed the table. Keeps the process alive until closed. */
  readonly onForeignChange?: (change: ForeignChange) => void;
};

/** Throws NftablesError, or NetlinkError when the namespace cannot be entered. */
export function openNftables(options: NftablesOptions): Nftables {
  const { netns } = options;
  const open = (): Nftables => new TableAdapter(options);
  return netns === undefined ? open() : withNetns(netns, open);
}

class TableAdapter implements Nftables {
  readonly #table: string;
  readonly #library = new Libnftables();
  readonly #elements = new ElementSocket(systemLibc());
  readonly #watch: ChangeWatch | undefined;

  constructor({ table, onForeignChange }: NftablesOptions) {
    this.#table = table;
    if (onForeignChange) this.#watch = new ChangeWatch(systemLibc(), table, onForeignChange);
  }

  async list(): Promise<Ruleset | undefined> {
    try {
      return parseListing(await this.#library.list(`list table inet ${this.#table}`));
    } catch (error) {
      if (error instanceof NftablesError && error.message.includes('No such file'))
        return undefined;
      throw error;
    }
  }

  async commit(transaction: Transaction): Promise<void> {
    if (transaction.length === 0) return;
    if (this.#watch === undefined) await this.#carryOut(transaction);
    else await this.#watch.during(() => this.#carryOut(transaction));
  }

  // The short way for what happens most; what it cannot do, libnftables does, or says why not.
  async #carryOut(transaction: Transaction): Promise<void> {
    if (isElementsOnly(transaction)) {
      try {
        this.#elements.commit(this.#table, transaction);
        return;
      } catch (error) {
        if (!(error instanceof NftablesError)) throw error;
      }
    }
    await this.#library.run(transactionText(this.#table, transaction));
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#elements.close();
    await this.#library.close();
  }
}
