// Follows the packet filter: what a new ruleset forbids is cut soon after it is in force. Not within the commit: a
// pod that is added must not wait until a hundred thousand connections have been looked at.

import type { Clock } from '@calico/clock';
import { type Address, formatAddress } from '@calico/ip';
import type { ConnectionTable, Log } from '../../../ports.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import { judgeConnections } from './forbidden.ts';
import { mayForbid } from './may_forbid.ts';

/** A look takes at most this part of the time: the rest is for changes. */
const SHARE = 5;
/** Connections named in the log, of one change. */
const MOST_NAMED = 20;

type Wanted = { readonly ruleset: Ruleset; readonly cutBit: number | undefined };

export type CutterParts = {
  readonly table: ConnectionTable;
  readonly clock: Clock;
  readonly log: Log;
};

export class ConnectionCutter {
  readonly #parts: CutterParts;
  /** What connections were judged by last; undefined: nothing since the start. */
  #judged: Ruleset | undefined;
  #wanted: Wanted | undefined;
  #running: Promise<void> | undefined;
  #notBefore = 0;

  constructor(parts: CutterParts) {
    this.#parts = parts;
  }

  /** This ruleset is in force; `cutBit` undefined: connections are kept. */
  committed(ruleset: Ruleset, cutBit: number | undefined): void {
    this.#wanted = { ruleset, cutBit };
    // Its failure is told by settled().
    this.#start().catch(() => {});
  }

  /** Resolves when nothing is left that the ruleset in force forbids; rejects when that cannot be brought about. */
  async settled(): Promise<void> {
    if (this.#wanted !== undefined || this.#running !== undefined) await this.#start();
  }

  #start(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    while (this.#wanted !== undefined) {
      await clock.sleep(Math.max(0, this.#notBefore - clock.monotonic()));
      const wanted = this.#wanted;
      const started = clock.monotonic();
      this.#look(wanted);
      // What was kept until now is judged as a whole when connections are cut again.
      this.#judged = wanted.cutBit === undefined ? undefined : wanted.ruleset;
      if (this.#wanted === wanted) this.#wanted = undefined;
      const ended = clock.monotonic();
      this.#notBefore = ended + (SHARE - 1) * (ended - started);
    }
  }

  #look({ ruleset, cutBit }: Wanted): void {
    const before = this.#judged;
    if (cutBit === undefined || (before && !mayForbid(before, ruleset))) return;
    const { table, log } = this.#parts;
    const known = new Map<bigint, string>();
    const interfaceOf = (address: Address): string => {
      const found = known.get(address.value) ?? table.interfaceOf(address);
      known.set(address.value, found);
      return found;
    };
    const connections = table.list();
    const { cut, freed } = judgeConnections({
      connections,
      before,
      after: ruleset,
      interfaceOf,
      cutBit,
    });
    table.change([
      ...cut.map((connection) => ({ kind: 'mark', connection, bits: cutBit, set: true }) as const),
      ...freed.map((connection) => ({ kind: 'delete', connection }) as const),
    ]);
    for (const { original } of cut.slice(0, MOST_NAMED)) {
      log.info('connection cut: policy no longer permits it', {
        source: formatAddress(original.source),
        destination: formatAddress(original.destination),
        protocol: original.protocol,
        port: original.ports?.destination,
      });
    }
    if (cut.length > 0) log.info('connections cut', { cut: cut.length, of: connections.length });
  }
}
