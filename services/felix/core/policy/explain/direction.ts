// One direction of one endpoint: which tiers, policies and rules are consulted for a packet, and which decides.
import type { Packet } from '../evaluator/packet.ts';
import type { ProfileLookup } from '../meaning/labels.ts';
import type { Direction, OrderedTier, Policy } from '../meaning/ordering.ts';
import { type RuleTerms, ruleTerms } from '../meaning/rule_terms.ts';
import { unlessUnreadable } from '../meaning/unreadable.ts';
import {
  type DirectionExplanation,
  type NearestRule,
  type PolicyExplanation,
  type RuleExplanation,
  type TierExplanation,
  titleOf,
} from './explanation.ts';
import { type Ends, mismatches } from './mismatches.ts';

export type Judged = {
  /** "<namespace>/<pod>". */
  readonly endpoint: string;
  /** Those that apply to the endpoint, in order. */
  readonly tiers: readonly OrderedTier[];
  readonly profiles: readonly string[];
  readonly profileOf: ProfileLookup;
};

type Decision = { readonly allowed: boolean; readonly by: string };

export function explainDirection(
  direction: Direction,
  judged: Judged,
  packet: Packet,
  ends: Ends,
): DirectionExplanation {
  const tiers: TierExplanation[] = [];
  const profiles: PolicyExplanation[] = [];
  const explained = (decision: Decision): DirectionExplanation => ({
    direction,
    endpoint: judged.endpoint,
    allowed: decision.allowed,
    decidedBy: decision.by,
    tiers,
    profiles,
    nearest: decision.allowed ? undefined : nearestOf(tiers, profiles),
  });
  for (const tier of judged.tiers) {
    const explanation = explainTier(direction, tier, packet, ends);
    tiers.push(explanation);
    if (explanation.outcome !== 'Pass') return explained(decisionOf(explanation));
  }
  for (const name of judged.profiles) {
    const explanation = explainProfile(direction, name, judged.profileOf, packet, ends);
    profiles.push(explanation);
    const { outcome, problem } = explanation;
    if (problem !== '') return explained({ allowed: false, by: `Profile ${name} ${problem}` });
    if (outcome === 'Allow' || outcome === 'Deny') {
      return explained({ allowed: outcome === 'Allow', by: ruleText(explanation) });
    }
  }
  const by =
    judged.profiles.length === 0
      ? 'no profile: the endpoint has none'
      : `no profile of the endpoint allows this ${direction}`;
  return explained({ allowed: false, by });
}

function explainTier(
  direction: Direction,
  { name, defaultAction, policies: all }: OrderedTier,
  packet: Packet,
  ends: Ends,
): TierExplanation {
  const policies: PolicyExplanation[] = [];
  for (const policy of all) {
    const explanation = explainPolicy(policy, policy[direction] ?? [], packet, ends);
    policies.push(explanation);
    const { outcome } = explanation;
    if (outcome !== undefined) return { name, defaultAction, policies, outcome, byDefault: false };
  }
  return { name, defaultAction, policies, outcome: defaultAction, byDefault: true };
}

function explainPolicy(
  { kind, namespace, name }: Pick<Policy, 'namespace' | 'name'> & Pick<PolicyExplanation, 'kind'>,
  terms: readonly RuleTerms[],
  packet: Packet,
  ends: Ends,
): PolicyExplanation {
  const rules: RuleExplanation[] = [];
  for (const rule of terms) {
    const { number, action } = rule;
    const found = mismatches(rule, packet, ends);
    rules.push({ number, action, mismatches: found });
    if (found.length === 0 && action !== 'Log') {
      return { kind, namespace, name, outcome: action, rules, problem: '' };
    }
  }
  return { kind, namespace, name, outcome: undefined, rules, problem: '' };
}

function explainProfile(
  direction: Direction,
  name: string,
  profileOf: ProfileLookup,
  packet: Packet,
  ends: Ends,
): PolicyExplanation {
  const profile = { kind: 'Profile', namespace: '', name } as const;
  const spec = profileOf(name);
  const terms = spec && unlessUnreadable(() => ruleTerms(spec[direction] ?? [], ''));
  if (terms !== undefined) return explainPolicy(profile, terms, packet, ends);
  return { ...profile, outcome: undefined, rules: [], problem: 'does not exist or cannot be read' };
}

function decisionOf({ name, outcome, byDefault, policies }: TierExplanation): Decision {
  const allowed = outcome === 'Allow';
  const last = policies.at(-1);
  if (byDefault || last === undefined) {
    return { allowed, by: `tier ${name}: default action ${outcome}` };
  }
  return { allowed, by: ruleText(last) };
}

function ruleText(policy: PolicyExplanation): string {
  const rule = policy.rules.at(-1);
  return `${titleOf(policy)} rule ${rule?.number} ${rule?.action}`;
}

/** Of the tier or profiles that decided, the Allow rule with the fewest fields that differ; the first of equals. */
function nearestOf(
  tiers: readonly TierExplanation[],
  profiles: readonly PolicyExplanation[],
): NearestRule | undefined {
  const last = tiers.at(-1);
  const consulted = last === undefined || last.outcome === 'Pass' ? profiles : last.policies;
  const [best] = consulted
    .flatMap((policy) =>
      policy.rules
        .filter(({ action }) => action === 'Allow')
        .map(({ number, mismatches: found }) => ({
          rule: `${titleOf(policy)} rule ${number}`,
          mismatches: found,
        })),
    )
    .toSorted((a, b) => a.mismatches.length - b.mismatches.length);
  return best;
}
