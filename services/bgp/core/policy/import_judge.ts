// Import policy by numbers of the tables: one judgement for all routes of one attribute set, unless
// filters look at the prefix.
import type { Family } from '@calico/ip';
import { TOO_LONG } from '../rib/attribute_table.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { ImportPolicy } from './import_policy.ts';
import { isMartian, MARTIAN } from './martians.ts';
import { type PrefixRules, prefixRulesOf } from './prefix_rules.ts';
import type { PeerPolicy } from './types.ts';

const NONE = -1;

export class ImportJudge {
  readonly #rib: LocRib;
  readonly #policy: ImportPolicy;
  readonly #peer: PeerPolicy;
  readonly #rules: Readonly<Record<Family, PrefixRules | undefined>>;
  /** The set judged last, the filter rule that its prefix met, and the outcome. */
  #received = NONE;
  #rule = NONE;
  #outcome = 0;
  /** Holds attributes that the policy has made until the next judgement. */
  #held = NONE;

  constructor(rib: LocRib, policy: ImportPolicy, peer: PeerPolicy) {
    this.#rib = rib;
    this.#policy = policy;
    this.#peer = peer;
    const rules = peer.filters.import;
    this.#rules = { 4: prefixRulesOf(rules[4]), 6: prefixRulesOf(rules[6]) };
  }

  /** As PathTable.attributesOf(); valid until the next call. */
  judge(prefix: number, received: number): number {
    const { prefixes, reasons } = this.#rib;
    if (isMartian(prefixes, prefix)) return -1 - reasons.intern(MARTIAN);
    const family = prefixes.familyOf(prefix);
    const rules = this.#rules[family];
    if (rules === undefined) {
      this.done();
      this.#outcome = this.#ask(prefix, received);
      return this.#outcome;
    }
    const rule = rules.find(prefixes, prefix);
    if (received === this.#received && rule === this.#rule) return this.#outcome;
    this.done();
    const isAccepted = this.#peer.filters.import[family][rule]?.accepts ?? true;
    const isAsIs = isAccepted && this.#policy.takesAsIs(received, this.#rib.attributes, this.#peer);
    this.#outcome = isAsIs ? received : this.#ask(prefix, received);
    this.#received = received;
    this.#rule = rule;
    return this.#outcome;
  }

  /** Lets go of what is held. */
  done(): void {
    if (this.#held !== NONE) this.#rib.attributes.release(this.#held);
    this.#held = NONE;
    this.#received = NONE;
  }

  #ask(prefix: number, received: number): number {
    const { prefixes, attributes, reasons } = this.#rib;
    const data = attributes.dataOf(received);
    const outcome = this.#policy.import(prefixes.prefixOf(prefix), data, this.#peer);
    if (outcome.kind === 'rejected') return -1 - reasons.intern(outcome.reason);
    if (outcome.data === data) return received;
    this.#held = attributes.intern(outcome.data);
    return this.#held === NONE ? -1 - reasons.intern(TOO_LONG) : this.#held;
  }
}
