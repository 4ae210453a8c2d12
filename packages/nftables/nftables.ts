// The packet filter of one network namespace, as far as one table goes: changes by messages of our own, listings by
// libnftables.
import { systemLibc, withNetns } from '@calico/netlink';
import { BatchSocket } from './batch_socket.ts';
import { ChangeWatch, type ForeignChange } from './change_watch.ts';
import { NftablesError } from './errors.ts';
import { Libnftables } from './libnftables.ts';
import { parseListing } from './listing.ts';
import type { Command, Ruleset, Transaction } from './ruleset.ts';

export interface Nftables {
  /** What the table holds now; undefined: there is no such table. Throws NftablesError. */
  list(): Promise<Ruleset | undefined>;
  /**
   * All commands or none. Nothing is sent for an empty transaction. Throws NftablesError, with `onForeignChange` also
   * when somebody else has changed the table since it was listed or committed to: it has to be listed again then.
   */
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

/** A listing may be read again while others change the table; then the last one counts. */
const LISTINGS = 3;
/** Other tables of the namespace may change between the question for the generation and the commit. */
const COMMITS = 20;
const LIST_TIMEOUT_MS = 10_000;

class TableAdapter implements Nftables {
  readonly #table: string;
  readonly #library = new Libnftables();
  readonly #socket = new BatchSocket(systemLibc());
  readonly #watch: ChangeWatch | undefined;
  /** What the watch had reported when the table was listed or committed to. */
  #known = 0;

  constructor({ table, onForeignChange }: NftablesOptions) {
    this.#table = table;
    if (onForeignChange) this.#watch = new ChangeWatch(systemLibc(), table, onForeignChange);
  }

  async list(): Promise<Ruleset | undefined> {
    for (let attempt = 1; ; attempt++) {
      const before = this.#watch?.settle() ?? 0;
      const ruleset = await this.#listOnce();
      this.#known = this.#watch?.settle() ?? 0;
      if (this.#known === before || attempt === LISTINGS) return ruleset;
    }
  }

  async #listOnce(): Promise<Ruleset | undefined> {
    try {
      const listing = this.#library.list(`list table inet ${this.#table}`);
      return parseListing(await withinTime(listing, `list table inet ${this.#table}`));
    } catch (error) {
      if (error instanceof NftablesError && error.message.includes('No such file'))
        return undefined;
      throw error;
    }
  }

  // Synchronous in truth: nothing of ours happens between the question for the generation and the answer.
  async commit(transaction: Transaction): Promise<void> {
    if (!transaction.some(asksForSomething)) return;
    if (this.#watch === undefined) this.#socket.commit(this.#table, transaction);
    else this.#commitWatched(this.#watch, transaction);
  }

  /** Commits on top of what is known, or not at all. */
  #commitWatched(watch: ChangeWatch, transaction: Transaction): void {
    for (let attempt = 1; attempt <= COMMITS; attempt++) {
      const generation = this.#socket.generation();
      if (watch.settle() !== this.#known) {
        throw new NftablesError(`Cannot change table inet ${this.#table}: another has changed it`);
      }
      if (!this.#socket.commit(this.#table, transaction, generation)) continue;
      watch.settleOwn(() => this.#socket.generation() === generation + 1);
      return;
    }
    throw new NftablesError(
      `Cannot change table inet ${this.#table}: others change the packet filter all the time`,
    );
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#socket.close();
    await this.#library.close();
  }
}

function asksForSomething(command: Command): boolean {
  return !('elements' in command) || command.elements.length > 0;
}

/** What hangs inside libnftables cannot be stopped; who waits for it goes on. */
function withinTime<T>(work: Promise<T>, what: string): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => {
    const seconds = LIST_TIMEOUT_MS / 1000;
    reject(new NftablesError(`Cannot ${what}: libnftables has not answered for ${seconds} s`));
  }, LIST_TIMEOUT_MS);
  work.then(resolve, reject).finally(() => clearTimeout(timer));
  return promise;
}
