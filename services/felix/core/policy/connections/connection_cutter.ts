// Follows the packet filter: what a new ruleset forbids is cut soon after it is in force. Not within the commit: a
// pod that is added must not wait until a hundred thousand connections have been looked at.

import type { Clock } from '@calico/clock';
import { formatAddress } from '@calico/ip';
import type { ConnectionTable, Log } from '../../../ports.ts';
import type { Ruleset } from '../compiler/ruleset.ts';
import { remembering } from './connection.ts';
import { connectionJudge, type Verdicts } from './forbidden.ts';
import { mayForbid } from './may_forbid.ts';

/** A look takes at most this part of the time: the rest is for changes. */
const SHARE = 5;
/** So many are judged before others have their turn: some 10 ms. */
const PART = 250;
/** Connections named in the log, of one change. */
const MOST_NAMED = 20;

type Wanted = {
  readonly ruleset: Ruleset;
  readonly cutBit: number | undefined;
  /** Counts commits. */
  readonly number: number;
};

const NOTHING: Ruleset = { chains: new Map(), sets: new Map() };

export type CutterParts = {
  readonly table: ConnectionTable;
  readonly clock: Clock;
  readonly log: Log;
};

export class ConnectionCutter {
  readonly #parts: CutterParts;
  /** What connections were judged by last; undefined: nothing since the start. */
  #judged: Ruleset | undefined;
  /** Entries are marked: what only permits more may free them. */
  #mayFree = true;
  #wanted: Wanted = { ruleset: NOTHING, cutBit: undefined, number: 0 };
  /** The commit that a look has dealt with last. */
  #done = 0;
  #looking: Promise<void> | undefined;
  #notBefore = 0;

  constructor(parts: CutterParts) {
    this.#parts = parts;
  }

  /** This ruleset is in force; `cutBit` undefined: connections are kept. */
  committed(ruleset: Ruleset, cutBit: number | undefined): void {
    this.#wanted = { ruleset, cutBit, number: this.#wanted.number + 1 };
    // Its failure is told by settled().
    this.settled().catch(() => {});
  }

  get isSettled(): boolean {
    return this.#done === this.#wanted.number;
  }

  /**
   * Resolves when nothing is left that the ruleset now in force forbids, whatever comes later: after two looks at most.
   * Rejects when that cannot be brought about.
   */
  async settled(): Promise<void> {
    const until = this.#wanted.number;
    while (this.#done < until) await this.#lookOnce();
  }

  #lookOnce(): Promise<void> {
    this.#looking ??= this.#lookWhenDue().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookWhenDue(): Promise<void> {
    const { clock } = this.#parts;
    await clock.sleep(Math.max(0, this.#notBefore - clock.monotonic()));
    const wanted = this.#wanted;
    const started = clock.monotonic();
    await this.#look(wanted);
    // What was kept until now is judged as a whole when connections are cut again.
    const isKept = [wanted, this.#wanted].some(({ cutBit }) => cutBit === undefined);
    this.#judged = isKept ? undefined : wanted.ruleset;
    this.#done = wanted.number;
    const ended = clock.monotonic();
    this.#notBefore = ended + (SHARE - 1) * (ended - started);
  }

  async #look(first: Wanted): Promise<void> {
    const before = this.#judged;
    if (first.cutBit === undefined) return;
    if (before !== undefined && !this.#mayFree && !mayForbid(before, first.ruleset)) return;
    this.#mayFree = true;
    const { table, log, clock } = this.#parts;
    const interfaceOf = remembering((address) => table.interfaceOf(address));
    const judgeBy = ({ ruleset }: Wanted, cutBit: number) =>
      connectionJudge({ before, after: ruleset, interfaceOf, cutBit });
    const connections = table.list();
    let wanted = first;
    let judge = judgeBy(first, first.cutBit);
    let cut = 0;
    let marked = 0;
    for (let at = 0; at < connections.length; at += PART) {
      if (at > 0) await clock.sleep(0);
      const { cutBit } = this.#wanted;
      if (cutBit === undefined) return;
      // What comes meanwhile judges the rest; it has a look of its own afterwards.
      if (wanted !== this.#wanted) judge = judgeBy(this.#wanted, cutBit);
      wanted = this.#wanted;
      const part = connections.slice(at, at + PART);
      const verdicts = judge(part);
      this.#carryOut(verdicts, cutBit, Math.max(0, MOST_NAMED - cut));
      cut += verdicts.cut.length;
      marked += part.filter(({ mark }) => (mark & cutBit) !== 0).length;
      marked += verdicts.cut.length - verdicts.freed.length;
    }
    this.#mayFree = marked > 0;
    if (cut > 0) log.info('connections cut', { cut, of: connections.length });
  }

  /**
   * An entry that has gone meanwhile is passed over. A mark may hit a later one with the same tuple, which the next look
   * frees if it is permitted.
   */
  #carryOut({ cut, freed }: Verdicts, cutBit: number, mostNamed: number): void {
    const { table, log } = this.#parts;
    table.change([
      ...cut.map((connection) => ({ kind: 'mark', connection, bits: cutBit, set: true }) as const),
      ...freed.map((connection) => ({ kind: 'delete', connection }) as const),
    ]);
    for (const { original } of cut.slice(0, mostNamed)) {
      log.info('connection cut: policy no longer permits it', {
        source: formatAddress(original.source),
        destination: formatAddress(original.destination),
        protocol: original.protocol,
        port: original.ports?.destination,
      });
    }
  }
}
