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

import type { ProfileLookup } from '../meaning/labels.ts';
import { type Direction, type OrderedTier, type Policy, policyTitle } from '../meaning/ordering.ts';
import { type RuleTerms, ruleTerms, unlessUnreadable } from '../meaning/rule_terms.ts';
import { contentId, readableName } from './identifiers.ts';
import { alternatives } from './rule_compiler.ts';
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
  /** Template of FelixConfiguration.logPrefix. */
  readonly logPrefix: string;
};

type Owner = {
  /** For comments: "NetworkPolicy default/web ingress". */
  readonly title: string;
  readonly logPrefix: string;
  /** What a Pass rule does. */
  readonly pass: readonly Statement[];
};

const SHORT = { ingress: 'in', egress: 'out' } as const;

export class ChainBuilder {
  readonly #sets: SetBuilder;
  readonly #profileOf: ProfileLookup;
  readonly #settings: ChainSettings;
  readonly #chains = new Map<string, Chain>();

  constructor(sets: SetBuilder, profileOf: ProfileLookup, settings: ChainSettings) {
    this.#sets = sets;
    this.#profileOf = profileOf;
    this.#settings = settings;
  }

  get chains(): ReadonlyMap<string, Chain> {
    return this.#chains;
  }

  add(name: string, chain: Chain): string {
    this.#chains.set(name, chain);
    return name;
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
      ...tier.policies.map((policy) => this.#policy(direction, tier.name, policy)),
    ]);
    const id = contentId(JSON.stringify([policies, profiles, isContinued]));
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
    if (!isPassing) return [...rules, ending(`tier ${tier.name}: default action Deny`)];
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
    const { kind, namespace, name } = policy;
    const chain = readableName(
      `policy-${SHORT[direction]}`,
      ...(kind === 'NetworkPolicy' ? ['namespaced', namespace, name] : ['global', name]),
    );
    if (!this.#chains.has(chain)) {
      const title = `${policyTitle(policy)} ${direction}`;
      const pass: Statement[] = [
        { kind: 'set-mark', bits: this.#settings.passBit, set: true },
        verdict('return'),
      ];
      const logPrefix = expand(this.#settings.logPrefix, {
        tier,
        kind,
        name: policyTitle(policy).split(' ')[1] ?? name,
      });
      const rules = this.#rules(policy[direction] ?? [], { title, pass, logPrefix });
      this.add(chain, { comment: title, rules });
    }
    return chain;
  }

  #profileRules(direction: Direction, profiles: readonly string[]): Rule[] {
    const jumps = profiles.flatMap((name) => this.#profile(direction, name));
    return [...jumps, ending(`no profile of the endpoint allows this ${direction}`)];
  }

  /** Profiles without rules are left out; one that does not exist ends the evaluation. */
  #profile(direction: Direction, name: string): Rule[] {
    const spec = this.#profileOf(name);
    const terms = spec && unlessUnreadable(() => ruleTerms(spec[direction] ?? [], ''));
    if (terms === undefined) return [ending(`Profile ${name} does not exist or cannot be read`)];
    if (terms.length === 0) return [];
    const chain = readableName(`profile-${SHORT[direction]}`, name);
    if (!this.#chains.has(chain)) {
      const title = `Profile ${name} ${direction}`;
      const logPrefix = expand(this.#settings.logPrefix, {
        tier: 'profile',
        kind: 'Profile',
        name,
      });
      this.add(chain, {
        comment: title,
        rules: this.#rules(terms, { title, logPrefix, pass: [verdict('return')] }),
      });
    }
    return [{ statements: [verdict(`jump ${chain}`)], comment: `Profile ${name}` }];
  }

  #rules(rules: readonly RuleTerms[], owner: Owner): Rule[] {
    return rules.flatMap((rule) =>
      alternatives(rule, this.#sets).map((matches) => ({
        statements: [...matches, ...actionStatements(rule, owner)],
        comment: `${owner.title} rule ${rule.number} ${rule.action}`,
      })),
    );
  }
}

/** Every rule counts what it decides on; an established connection's packets come to no rule. */
function actionStatements({ action }: RuleTerms, owner: Owner): readonly Statement[] {
  switch (action) {
    case 'Allow':
      return [COUNTER, verdict('accept')];
    case 'Deny':
      return [COUNTER, verdict('drop')];
    case 'Pass':
      return [COUNTER, ...owner.pass];
    case 'Log':
      return [COUNTER, { kind: 'log', prefix: `${owner.logPrefix}: ` }];
    default:
      return action satisfies never;
  }
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
