// Says in felix' log what policy denies, with names, when FelixConfiguration.deniedLog is Enabled.
import type { Clock } from '@calico/clock';
import { type Address, formatAddress } from '@calico/ip';
import type { LoggedPacket, PacketLog } from '@calico/nftables';
import type { Ruleset } from '../core/policy/compiler/ruleset.ts';
import { type LoggedFlow, readLoggedPacket } from '../core/policy/explain/logged_packet.ts';
import { protocolName } from '../core/policy/explain/mismatches.ts';
import { nameOf } from '../core/policy/explain/owners.ts';
import { policyRuleTitle } from '../core/policy/explain/policy_rule_title.ts';
import type { Log, PolicyInputs } from '../ports.ts';

const LOOK_EVERY_MS = 250;
/** Lines for one look; how many more there were is said in one line. */
const MOST_LINES = 10;

export type DeniedLogParts = {
  /** Throws when the kernel cannot. */
  readonly open: () => PacketLog;
  /** What is in force; undefined: nothing yet. */
  readonly inputs: () => PolicyInputs | undefined;
  readonly ruleset: () => Ruleset | undefined;
  readonly log: Log;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

export class DeniedLog {
  readonly #parts: DeniedLogParts;
  #packets: PacketLog | undefined;
  #isRefused = false;
  #names = new Map<string, string>();
  #namesOf: PolicyInputs | undefined;

  constructor(parts: DeniedLogParts) {
    this.#parts = parts;
  }

  /** Until the signal aborts. */
  async run(): Promise<void> {
    const { clock, signal } = this.#parts;
    while (!signal.aborted) {
      this.look();
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
    }
    this.#packets?.close();
  }

  look(): void {
    const inputs = this.#parts.inputs();
    if (inputs?.felixConfiguration?.spec.deniedLog !== 'Enabled') {
      this.#packets?.close();
      this.#packets = undefined;
      this.#isRefused = false;
      return;
    }
    this.#packets ??= this.#open();
    const found = this.#packets?.read();
    if (found !== undefined) this.#tell(found, inputs);
  }

  #open(): PacketLog | undefined {
    if (this.#isRefused) return undefined;
    try {
      return this.#parts.open();
    } catch (cause) {
      this.#isRefused = true;
      this.#parts.log.error('deniedLog cannot be read from the kernel', { cause: String(cause) });
      return undefined;
    }
  }

  #tell({ packets, isOverrun }: ReturnType<PacketLog['read']>, inputs: PolicyInputs): void {
    const { log } = this.#parts;
    for (const packet of packets.slice(0, MOST_LINES)) this.#tellOne(packet, inputs);
    const more = packets.length - MOST_LINES;
    if (more > 0 || isOverrun) {
      log.info('denied by policy: more than are named', { more: Math.max(0, more), isOverrun });
    }
  }

  #tellOne({ prefix, bytes }: LoggedPacket, inputs: PolicyInputs): void {
    const flow = readLoggedPacket(bytes);
    if (flow === undefined) return;
    this.#parts.log.info('denied by policy', {
      from: this.#name(flow.source, inputs),
      to: this.#name(flow.destination, inputs),
      protocol: protocolName(flow.protocol),
      ...(flow.destinationPort === 0 ? {} : { port: flow.destinationPort }),
      by: this.#rule(prefix, flow),
    });
  }

  #rule(prefix: string, flow: LoggedFlow): string {
    const ruleset = this.#parts.ruleset();
    if (ruleset === undefined) return prefix;
    return policyRuleTitle(ruleset, undefined, prefix, { ...flow, icmpType: 0, icmpCode: 0 });
  }

  /** "default/client (10.0.0.1)", or the address of somebody unknown. */
  #name(address: Address, inputs: PolicyInputs): string {
    if (this.#namesOf !== inputs) this.#names = new Map();
    this.#namesOf = inputs;
    const text = formatAddress(address);
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const owner = inputs.workloadEndpoints.find(({ spec }) =>
      spec.ipNetworks?.some((net) => net.split('/')[0] === text),
    );
    const name = owner === undefined ? text : `${nameOf(owner)} (${text})`;
    this.#names.set(text, name);
    return name;
  }
}
