// What each rule has decided on, since felix started. The kernel's counters begin anew whenever a chain is written
// anew; here they go on.
import type { Ruleset } from '../compiler/ruleset.ts';

/** A counting rule, or a counter of a look-up, as the kernel lists it. */
export type CountedRule = {
  /** Of the rule; '' for a counter. */
  readonly chain: string;
  /** Name of the counter; '' for a rule. */
  readonly counter: string;
  /** Cut to 127 bytes. */
  readonly comment: string;
  readonly packets: bigint;
  readonly bytes: bigint;
};

export type RuleStat = {
  readonly kind: 'NetworkPolicy' | 'GlobalNetworkPolicy' | 'Profile' | '';
  readonly namespace: string;
  readonly name: string;
  readonly direction: 'ingress' | 'egress' | '';
  /** From 1; 0: not a rule of a policy. */
  readonly rule: number;
  /** "Allow", "Deny", "Pass", "Log"; '' when it is not a policy's. */
  readonly action: string;
  /** For what is not a policy's rule: "tier default: default action Deny". */
  readonly description: string;
  readonly packets: bigint;
  readonly bytes: bigint;
};

type Counts = { readonly packets: bigint; readonly bytes: bigint };
const NOTHING: Counts = { packets: 0n, bytes: 0n };

export class RuleTotals {
  /** As the kernel had them the last time, by chain, place in it, and comment, or by name of the counter. */
  #seen = new Map<string, Counts>();
  #totals = new Map<string, RuleStat>();

  /** The totals, sorted by what they are of. */
  get stats(): RuleStat[] {
    return [...this.#totals].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, stat]) => stat);
  }

  /**
   * Adds what was counted since the last time and answers it. `ruleset` is what is in the kernel: its comments are
   * whole. Rules that are gone are forgotten.
   */
  update(ruleset: Ruleset, counted: readonly CountedRule[]): RuleStat[] {
    const seen = new Map<string, Counts>();
    const totals = new Map<string, RuleStat>();
    const added = new Map<string, RuleStat>();
    for (const { chain, place, comment, packets, bytes } of placed(ruleset, counted)) {
      seen.set(place, { packets, bytes });
      const delta = since(this.#seen.get(place) ?? NOTHING, { packets, bytes });
      const what = readComment(chain, comment);
      const key = JSON.stringify(Object.values(what));
      const before = totals.get(key) ?? this.#totals.get(key);
      totals.set(key, { ...what, ...sum(before, delta) });
      if (delta.packets > 0n) added.set(key, { ...what, ...sum(added.get(key), delta) });
    }
    this.#seen = seen;
    this.#totals = totals;
    return [...added.values()];
  }
}

type Placed = Counts & {
  readonly chain: string;
  readonly place: string;
  /** Whole. */
  readonly comment: string;
};

function placed(ruleset: Ruleset, counted: readonly CountedRule[]): Placed[] {
  const { rules = [], counters = [] } = Object.groupBy(counted, ({ counter }) =>
    counter === '' ? 'rules' : 'counters',
  );
  const inChains = [...Map.groupBy(rules, ({ chain }) => chain)].flatMap(([chain, own]) => {
    const comments = commentsOf(ruleset, chain);
    return own.map(({ comment: cut, packets, bytes }, index): Placed => {
      const comment = comments.length === own.length ? (comments[index] ?? cut) : cut;
      return { chain, place: `${chain} ${index} ${comment}`, comment, packets, bytes };
    });
  });
  const inLookups = counters.map(({ counter, comment: cut, packets, bytes }): Placed => {
    const map = ruleset.sets.get(counter.slice(0, counter.lastIndexOf('/')));
    const comment = map?.counters?.get(counter) ?? cut;
    return { chain: '', place: `${counter} ${comment}`, comment, packets, bytes };
  });
  return [...inChains, ...inLookups];
}

function commentsOf(ruleset: Ruleset, chain: string): string[] {
  const rules = ruleset.chains.get(chain)?.rules ?? [];
  return rules
    .filter(({ statements }) => statements.some(({ kind }) => kind === 'counter'))
    .map(({ comment }) => comment);
}

function since(before: Counts, now: Counts): Counts {
  if (now.packets < before.packets || now.bytes < before.bytes) return now;
  return { packets: now.packets - before.packets, bytes: now.bytes - before.bytes };
}

function sum(before: Counts = NOTHING, more: Counts): Counts {
  return { packets: before.packets + more.packets, bytes: before.bytes + more.bytes };
}

const POLICY_RULE =
  /^(NetworkPolicy|GlobalNetworkPolicy|Profile) (?:(.+)\/)?(.+) (ingress|egress) rule (\d+) (\w+)$/;

function readComment(chain: string, comment: string): Omit<RuleStat, 'packets' | 'bytes'> {
  const [, kind, namespace = '', name = '', direction, rule, action = ''] =
    POLICY_RULE.exec(comment) ?? [];
  if (kind === undefined) {
    const blank = { kind: '', namespace: '', name: '', rule: 0, action: '' } as const;
    return { ...blank, direction: directionOf(chain), description: comment };
  }
  return {
    kind: kind as RuleStat['kind'],
    namespace,
    name,
    direction: direction as RuleStat['direction'],
    rule: Number(rule),
    action,
    description: '',
  };
}

function directionOf(chain: string): RuleStat['direction'] {
  if (chain.startsWith('program-in/')) return 'ingress';
  return chain.startsWith('program-out/') ? 'egress' : '';
}
