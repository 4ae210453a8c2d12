// Chains of policies, profiles and programs. A policy is one chain per direction, used by every endpoint that it
// applies to. A program is what an endpoint is judged by: policies in order, then profiles.
//
//   dispatch ─goto→ program ─jump→ policy 1   accept | drop | return
//                      │    ─jump→ policy 2   … a Pass rule sets a mark and returns:
//                      │    mark? ─goto→ rest of the program after this tier (a program of its own)
//                      └──── drop (the tier's default action), or goto the rest
//
// Endpoints with the same policies in the same order have the same program, also when they only share its end.
// "accept" ends the base chain of one direction only: the other direction is another base chain.

import type { ProfileLookup, ProfileSpec } from '../meaning/labels.ts';
import {
  type Direction,
  type OrderedTier,
  type Policy,
  policyTitle,
  type Stage,
} from '../meaning/ordering.ts';
import { type RuleTerms, ruleTerms } from '../meaning/rule_terms.ts';
import { unlessUnreadable } from '../meaning/unreadable.ts';
import { readableName, shortId } from './identifiers.ts';
import { policyRules } from './policy_rules.ts';
import {
  type Chain,
  COUNTER,
  type Rule,
  type Statement,
  type Verdict,
  verdict,
} from './ruleset.ts';
import type { SetBuilder } from './set_builder.ts';

export type ChainSettings = {
  /** The bit of the packet mark that says "passed to the next tier". */
  readonly passBit: number;
  /** The bit that an early policy of a host endpoint sets on what it allows. */
  readonly acceptBit: number;
  readonly denyAction: 'Drop' | 'Reject';
  /** Template of FelixConfiguration.logPrefix. */
  readonly logPrefix: string;
  /** Whether denied packets are given to DENIED_GROUP, with what denied them. */
  readonly logsDenied: boolean;
};

/** NFLOG group of what policy denies. Upstream's flow logs have 1 and 2. */
export const DENIED_GROUP = 3;

const SHORT = { ingress: 'in', egress: 'out' } as const;

/** Where chains are put; one that is there is not built again. */
export type ChainShelf = {
  readonly has: (name: string) => boolean;
  readonly set: (name: string, chain: Chain) => unknown;
};

export class ChainBuilder {
  readonly #sets: SetBuilder;
  readonly #profileOf: ProfileLookup;
  readonly #settings: ChainSettings;
  readonly #chains: ChainShelf;
  /** How to build each chain of a policy or profile. */
  readonly #recipes = new Map<string, () => Chain>();

  constructor(parts: {
    readonly sets: SetBuilder;
    readonly profileOf: ProfileLookup;
    readonly settings: ChainSettings;
    readonly chains: ChainShelf;
  }) {
    this.#sets = parts.sets;
    this.#profileOf = parts.profileOf;
    this.#settings = parts.settings;
    this.#chains = parts.chains;
  }

  add(name: string, chain: Chain): string {
    this.#chains.set(name, chain);
    return name;
  }

  /** Builds a chain of a policy or profile again, because sets have got other names. */
  rebuild(name: string): void {
    const recipe = this.#recipes.get(name);
    if (recipe !== undefined) this.add(name, recipe());
  }

  /** The chain is gone. */
  forget(name: string): void {
    this.#recipes.delete(name);
  }

  #build(name: string, recipe: () => Chain): void {
    this.#recipes.set(name, recipe);
    this.add(name, recipe());
  }

  /** Name of the chain that judges an endpoint with these policies and profiles. */
  program(
    direction: Direction,
    tiers: readonly OrderedTier[],
    profiles: readonly string[],
    isContinued = false,
  ): string {
    const policies = tiers.map((tier) => [
      tier.name,
      tier.defaultAction,
      ...tier.policies.map((policy) => [
        this.#policy(direction, tier.name, policy),
        canPass(policy[direction] ?? []),
      ]),
    ]);
    const ends = profiles.map((name) => this.#profileTerms(direction, name)?.length ?? null);
    // All that its rules depend on: a program of one name never changes.
    const id = shortId(
      JSON.stringify([policies, profiles, ends, isContinued, this.#settings.denyAction]),
    );
    const name = `program-${SHORT[direction]}/${id}`;
    if (this.#chains.has(name)) return name;
    const rules = this.#programRules(direction, tiers, profiles);
    const comment = [...tiers.flatMap((tier) => tier.policies.map(policyTitle)), ...profiles].join(
      ', ',
    );
    return this.add(name, {
      comment: `${direction}: ${comment}`,
      rules: isContinued ? [this.#clearPass(), ...rules] : rules,
    });
  }

  #programRules(
    direction: Direction,
    [tier, ...rest]: readonly OrderedTier[],
    profiles: readonly string[],
  ): Rule[] {
    if (tier === undefined) return this.#profileRules(direction, profiles);
    const hasPass = tier.policies.some((policy) => canPass(policy[direction] ?? []));
    const isPassing = tier.defaultAction === 'Pass';
    const next = hasPass ? this.program(direction, rest, profiles, true) : undefined;
    const rules = tier.policies.flatMap((policy) => this.#consult(direction, tier, policy, next));
    if (!isPassing) return [...rules, this.#ending(`tier ${tier.name}: default action Deny`)];
    if (next === undefined) return [...rules, ...this.#programRules(direction, rest, profiles)];
    return [
      ...rules,
      { statements: [verdict(`goto ${next}`)], comment: `tier ${tier.name}: default action Pass` },
    ];
  }

  #consult(
    direction: Direction,
    tier: OrderedTier,
    policy: Policy,
    next: string | undefined,
  ): Rule[] {
    const comment = `tier ${tier.name}: ${policyTitle(policy)}`;
    const chain = this.#policy(direction, tier.name, policy);
    const jump: Rule = { statements: [verdict(`jump ${chain}`)], comment };
    if (next === undefined || !canPass(policy[direction] ?? [])) return [jump];
    const passed: Statement = { kind: 'match-mark', bits: this.#settings.passBit, set: true };
    return [
      jump,
      { statements: [passed, verdict(`goto ${next}`)], comment: `tier ${tier.name}: passed` },
    ];
  }

  #clearPass(): Rule {
    const bits = this.#settings.passBit;
    return { statements: [{ kind: 'set-mark', bits, set: false }], comment: 'next tier' };
  }

  /** Name of the policy's chain. */
  #policy(direction: Direction, tier: string, policy: Policy): string {
    const chain = policyChain(direction, policy);
    if (this.#chains.has(chain)) return chain;
    const title = `${policyTitle(policy)} ${direction}`;
    const pass: Statement[] = [
      { kind: 'set-mark', bits: this.#settings.passBit, set: true },
      verdict('return'),
    ];
    const logPrefix = expand(this.#settings.logPrefix, {
      tier,
      kind: policy.kind,
      name: policyTitle(policy).split(' ')[1] ?? policy.name,
    });
    this.#build(chain, () => ({
      comment: title,
      rules: policyRules(policy[direction] ?? [], this.#sets, {
        chain,
        title,
        logPrefix,
        allow: this.#allow(policy.stage),
        // Before routing the kernel cannot answer.
        deny: policy.stage === 'normal' ? this.#deny() : [verdict('drop')],
        pass,
        denied: (by) => this.#denied(by),
      }),
    }));
    return chain;
  }

  /** What an early policy allows is marked, so that the normal policy of the host endpoint lets it pass. */
  #allow(stage: Stage): readonly Statement[] {
    if (stage === 'normal') return [verdict('accept')];
    const accepted: Statement = { kind: 'set-mark', bits: this.#settings.acceptBit, set: true };
    const untracked: Statement[] = stage === 'untracked' ? [{ kind: 'notrack' }] : [];
    return [...untracked, accepted, verdict('accept')];
  }

  #deny(): readonly Statement[] {
    return this.#settings.denyAction === 'Reject'
      ? [{ kind: 'reject', with: 'port-unreachable' }]
      : [verdict('drop')];
  }

  #ending(comment: string): Rule {
    return { statements: [COUNTER, ...this.#denied(comment), ...this.#deny()], comment };
  }

  #denied(by: string): readonly Statement[] {
    return this.#settings.logsDenied ? [{ kind: 'log', prefix: by, group: DENIED_GROUP }] : [];
  }

  #profileRules(direction: Direction, profiles: readonly string[]): Rule[] {
    const jumps = profiles.flatMap((name) => this.#profile(direction, name));
    return [...jumps, this.#ending(`no profile of the endpoint allows this ${direction}`)];
  }

  /** Profiles without rules are left out; one that does not exist ends the evaluation. */
  #profile(direction: Direction, name: string): Rule[] {
    const terms = this.#profileTerms(direction, name);
    if (terms === undefined) {
      return [this.#ending(`Profile ${name} does not exist or cannot be read`)];
    }
    if (terms.length === 0) return [];
    const chain = profileChain(direction, name);
    if (!this.#chains.has(chain)) {
      const title = `Profile ${name} ${direction}`;
      const logPrefix = expand(this.#settings.logPrefix, {
        tier: 'profile',
        kind: 'Profile',
        name,
      });
      // Read again whenever it is built: the profile may have changed.
      const termsNow = (): readonly RuleTerms[] => this.#profileTerms(direction, name) ?? [];
      this.#build(chain, () => ({
        comment: title,
        rules: policyRules(termsNow(), this.#sets, {
          chain,
          title,
          logPrefix,
          allow: [verdict('accept')],
          deny: this.#deny(),
          pass: [verdict('return')],
          denied: (by) => this.#denied(by),
        }),
      }));
    }
    return [{ statements: [verdict(`jump ${chain}`)], comment: `Profile ${name}` }];
  }

  /** Undefined: there is no such profile, or it cannot be read. */
  #profileTerms(direction: Direction, name: string): readonly RuleTerms[] | undefined {
    const spec = this.#profileOf(name);
    return spec && termsOf(spec)[direction];
  }
}

/** Name of the chain of one direction of a policy. */
export function policyChain(
  direction: Direction,
  { kind, namespace, name }: Pick<Policy, 'kind' | 'namespace' | 'name'>,
): string {
  const path = kind === 'NetworkPolicy' ? ['namespaced', namespace, name] : ['global', name];
  return readableName(`policy-${SHORT[direction]}`, ...path);
}

/** Name of the chain of one direction of a profile. */
export function profileChain(direction: Direction, name: string): string {
  return readableName(`profile-${SHORT[direction]}`, name);
}

type ProfileTerms = Readonly<Record<Direction, readonly RuleTerms[] | undefined>>;
const known = new WeakMap<ProfileSpec, ProfileTerms>();

function termsOf(spec: ProfileSpec): ProfileTerms {
  const before = known.get(spec);
  if (before !== undefined) return before;
  const terms = {
    ingress: unlessUnreadable(() => ruleTerms(spec.ingress ?? [], '')),
    egress: unlessUnreadable(() => ruleTerms(spec.egress ?? [], '')),
  };
  known.set(spec, terms);
  return terms;
}

function canPass(rules: readonly RuleTerms[]): boolean {
  return rules.some(({ action }) => action === 'Pass');
}

export function ending(comment: string, final: Verdict = 'drop'): Rule {
  return { statements: [COUNTER, verdict(final)], comment };
}

type LogNames = { readonly tier: string; readonly kind: string; readonly name: string };

/** %t tier, %k kind, %p policy with its kind, %n name, %% a percent sign. */
function expand(template: string, { tier, kind, name }: LogNames): string {
  const values: Readonly<Record<string, string>> = {
    t: tier,
    k: kind,
    p: `${kind} ${name}`,
    n: name,
    '%': '%',
  };
  return template.replaceAll(/%(.)/gu, (text, key: string) => values[key] ?? text);
}
