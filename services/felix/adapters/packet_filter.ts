// Policy into the kernel: inputs → what has changed of the ruleset (pure) → one transaction. What the kernel holds is
// remembered after the first listing, and listed again and compared as a whole when somebody else has changed it: a
// restart commits the difference only, which is nothing when nothing has changed.
import {
  diff,
  type Nftables,
  NftablesError,
  openNftables,
  type Ruleset,
  type Transaction,
} from '@calico/nftables';
import { type CompileOptions, compile } from '../core/policy/compiler/compile.ts';
import { PolicyGraph } from '../core/policy/graph/policy_graph.ts';
import type { RulesetChanges } from '../core/policy/graph/ruleset_store.ts';
import type { Log, PacketFilter, PolicyInputs } from '../ports.ts';

const TABLE = 'calico';
/** A change of somebody else may come between our listing and our commit. */
const ATTEMPTS = 3;

export type PacketFilterOptions = {
  readonly logger: Log;
  /** For messages only. */
  readonly node?: string;
  /** Path of a network namespace; undefined: the one this process is in. */
  readonly netns?: string;
  /** For tests. */
  readonly compile?: CompileOptions;
};

/** Opens table `inet calico` without touching it. Throws NftablesError when libnftables is missing. */
export function openPacketFilter(options: PacketFilterOptions): PacketFilter {
  return new NftPacketFilter(options);
}

class NftPacketFilter implements PacketFilter {
  readonly #log: Log;
  readonly #table: Nftables;
  readonly #callbacks: ((detail: string) => void)[] = [];
  readonly #graph: PolicyGraph;
  readonly #committed: Parameters<PacketFilter['onCommitted']>[0][] = [];
  /** What the kernel holds, once known; `ruleset` undefined: no table. */
  #kernel: { readonly ruleset: Ruleset | undefined } | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor({ logger, netns, compile: options }: PacketFilterOptions) {
    this.#log = logger;
    this.#graph = new PolicyGraph(options);
    this.#table = openNftables({
      table: TABLE,
      onForeignChange: ({ detail }) => this.#tampered(detail),
      ...(netns === undefined ? {} : { netns }),
    });
  }

  /**
   * Before the inputs are complete nothing is opened and nothing is taken away: what an earlier run left in the
   * kernel stays as it is, and without that every pod is closed.
   */
  apply(inputs: PolicyInputs): Promise<void> {
    const result = this.#last.then(() => this.#apply(inputs));
    this.#last = result.catch(() => {});
    return result;
  }

  onCommitted(callback: Parameters<PacketFilter['onCommitted']>[0]): void {
    this.#committed.push(callback);
  }

  onTampered(callback: (detail: string) => void): void {
    this.#callbacks.push(callback);
  }

  close(): void {
    void this.#table.close();
  }

  async #apply(inputs: PolicyInputs): Promise<void> {
    const changes = inputs.inSync ? this.#graph.update(inputs) : undefined;
    for (let attempt = 1; ; attempt++) {
      this.#kernel ??= { ruleset: await this.#table.list() };
      const { ruleset } = this.#kernel;
      const desired = changes?.ruleset ?? ruleset ?? compile({ ...inputs, localEndpoints: [] });
      try {
        await this.#commit(this.#transaction(desired, ruleset, changes));
        // Unless it was changed meanwhile, and the listing is no longer true.
        if (this.#kernel !== undefined) this.#kernel = { ruleset: desired };
        if (changes) for (const callback of this.#committed) callback(changes.ruleset, inputs);
        return;
      } catch (cause) {
        this.#kernel = undefined;
        if (!(cause instanceof NftablesError) || attempt === ATTEMPTS) throw cause;
        this.#log.warn('packet filter refused a change: reading it again', {
          error: cause.message,
        });
      }
    }
  }

  /** What has changed, when the kernel holds what was there before; else the whole is compared. */
  #transaction(
    desired: Ruleset,
    actual: Ruleset | undefined,
    changes: RulesetChanges | undefined,
  ): Transaction {
    if (changes !== undefined && actual !== undefined && actual === changes.previous) {
      const transaction = diff(changes.after, changes.before);
      if (!transaction.some(({ kind }) => kind === 'delete-table')) return transaction;
    }
    return diff(desired, actual);
  }

  async #commit(transaction: Transaction): Promise<void> {
    if (transaction.length === 0) return;
    const started = performance.now();
    await this.#table.commit(transaction);
    const milliseconds = Math.round(performance.now() - started);
    this.#log.debug('packet filter changed', { commands: transaction.length, milliseconds });
  }

  #tampered(detail: string): void {
    this.#kernel = undefined;
    for (const callback of this.#callbacks) callback(`table inet ${TABLE}: ${detail}`);
  }
}
