// Reads the kernel's counters now and then, and when it is asked, and tells the metrics.
import type { Clock } from '@calico/clock';
import type { RuleCounters } from '@calico/nftables';
import { type RuleStat, RuleTotals } from '../core/policy/explain/rule_totals.ts';
import type { Log } from '../ports.ts';
import type { EnforcedPolicy } from './policy_handlers.ts';

/** What was counted in a chain after the last reading before it is written anew is lost. */
const READ_EVERY_MS = 10_000;
/** Policies with metrics of their own; those that come later share one. */
const MOST_POLICIES = 500;

type Count = { add(amount: number, labels: Readonly<Record<string, string>>): void };

export type PolicyCountersParts = {
  readonly counters: RuleCounters;
  readonly enforced: () => EnforcedPolicy | undefined;
  readonly packets: Count;
  readonly bytes: Count;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
};

export class PolicyCounters {
  readonly #parts: PolicyCountersParts;
  readonly #totals = new RuleTotals();
  readonly #named = new Set<string>();

  constructor(parts: PolicyCountersParts) {
    this.#parts = parts;
  }

  /** Until the signal aborts. */
  async run(): Promise<void> {
    const { clock, signal, log } = this.#parts;
    while (!signal.aborted) {
      try {
        this.read();
      } catch (cause) {
        log.warn('counters of the packet filter cannot be read', { cause: String(cause) });
      }
      await clock.sleep(READ_EVERY_MS, signal).catch(() => {});
    }
  }

  /** Totals since felix started. Throws NetlinkError. */
  read(): RuleStat[] {
    const { counters, enforced } = this.#parts;
    const policy = enforced();
    if (policy === undefined) return [];
    for (const stat of this.#totals.update(policy.ruleset, counters.read())) this.#tell(stat);
    return this.#totals.stats;
  }

  #tell({ kind, namespace, name, direction, action, description, ...counted }: RuleStat): void {
    const labels =
      kind === ''
        ? { kind: 'default', policy: description, direction, action: '' }
        : { kind, policy: this.#label(kind, namespace, name), direction, action };
    this.#parts.packets.add(Number(counted.packets), labels);
    this.#parts.bytes.add(Number(counted.bytes), labels);
  }

  #label(kind: string, namespace: string, name: string): string {
    const key = `${kind} ${namespace}/${name}`;
    if (!this.#named.has(key) && this.#named.size >= MOST_POLICIES) return 'other';
    this.#named.add(key);
    return namespace === '' ? name : `${namespace}/${name}`;
  }
}
