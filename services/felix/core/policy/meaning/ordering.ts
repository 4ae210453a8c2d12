// Which policies apply to an endpoint, and in which order.
import {
  DEFAULT_TIER_ORDER,
  type GlobalNetworkPolicy,
  type NetworkPolicy,
  type Tier,
} from '@calico/model';
import type { Labels, Selector } from '@calico/selector';
import { type ReadRules, type RuleTerms, ruleTerms } from './rule_terms.ts';
import { policySelector } from './selectors.ts';
import { unlessUnreadable } from './unreadable.ts';

export type Direction = 'ingress' | 'egress';

/**
 * When a policy acts: on connections; or, for host endpoints only, on each packet before connections are tracked
 * (doNotTrack), or on packets before their destination is translated (preDNAT).
 */
export type Stage = 'normal' | 'untracked' | 'preDNAT';

export type Policy = {
  readonly kind: 'NetworkPolicy' | 'GlobalNetworkPolicy';
  /** '' for a global one. */
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector;
  readonly stage: Stage;
  /** Also for what a host endpoint forwards. */
  readonly appliesOnForward: boolean;
  /** Undefined: the policy does not decide this direction. */
  readonly ingress: readonly RuleTerms[] | undefined;
  readonly egress: readonly RuleTerms[] | undefined;
};

export type OrderedTier = {
  readonly name: string;
  readonly defaultAction: 'Deny' | 'Pass';
  /** In order of evaluation. */
  readonly policies: readonly Policy[];
};

/** The tiers that every cluster has. */
const BUILT_IN: Readonly<Record<string, Tier['spec']>> = {
  'kube-admin': { order: 1000, defaultAction: 'Pass' },
  default: { order: DEFAULT_TIER_ORDER, defaultAction: 'Deny' },
  'kube-baseline': { order: 10_000_000, defaultAction: 'Pass' },
};

export type AnyPolicy = NetworkPolicy | GlobalNetworkPolicy;

/**
 * All tiers that hold policies of a stage, in order of evaluation: lower order first, then by name; in a
 * tier policies without order come last, then by name, namespace and kind. A policy of a tier that does not exist
 * is not enforced.
 */
export function orderTiers(
  tiers: readonly Tier[],
  policies: readonly AnyPolicy[],
  stage: Stage = 'normal',
): readonly OrderedTier[] {
  const specs = new Map(Object.entries(BUILT_IN));
  for (const { metadata, spec } of tiers) specs.set(metadata.name, spec);
  const ofStage = policies.filter((policy) => stageOf(policy) === stage);
  const byTier = Map.groupBy(ofStage, ({ spec }) => spec.tier);
  return [...byTier]
    .flatMap(([name, members]) => {
      const spec = specs.get(name);
      return spec === undefined ? [] : [{ name, spec, members }];
    })
    .toSorted((a, b) => orderOf(a.spec) - orderOf(b.spec) || compareText(a.name, b.name))
    .map(({ name, spec, members }) => ({
      name,
      defaultAction: spec.defaultAction,
      policies: members.toSorted(comparePolicies).flatMap((policy) => policyOf(policy) ?? []),
    }));
}

/** Whether there is such a tier, of the cluster or built in. */
export function hasTier(tiers: readonly Tier[], name: string): boolean {
  return Object.hasOwn(BUILT_IN, name) || tiers.some(({ metadata }) => metadata.name === name);
}

/** Those policies that decide `direction` for an endpoint with these labels; tiers without any are left out. */
export function applicable(
  tiers: readonly OrderedTier[],
  direction: Direction,
  labels: Labels,
): readonly OrderedTier[] {
  return deciding(
    tiers.map((tier) => ({
      ...tier,
      policies: tier.policies.filter(({ selector }) => selector.matches(labels)),
    })),
    direction,
  );
}

/** Those policies that decide `direction`; tiers without any are left out. */
export function deciding(
  tiers: readonly OrderedTier[],
  direction: Direction,
): readonly OrderedTier[] {
  return tiers
    .map((tier) => ({
      ...tier,
      policies: tier.policies.filter((policy) => policy[direction] !== undefined),
    }))
    .filter(({ policies }) => policies.length > 0);
}

/** "NetworkPolicy default/allow-web" or "GlobalNetworkPolicy deny-all". */
export function policyTitle({ kind, namespace, name }: Policy): string {
  return namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Policies that act before connection tracking or address translation are for host endpoints only. */
export function isForWorkloads(policy: AnyPolicy): boolean {
  return stageOf(policy) === 'normal';
}

export function stageOf({ spec }: AnyPolicy): Stage {
  if ('doNotTrack' in spec && spec.doNotTrack) return 'untracked';
  return 'preDNAT' in spec && spec.preDNAT ? 'preDNAT' : 'normal';
}

function orderOf(spec: Tier['spec']): number {
  return spec.order ?? DEFAULT_TIER_ORDER;
}

function comparePolicies(a: AnyPolicy, b: AnyPolicy): number {
  const [first, second] = [a.spec.order ?? Infinity, b.spec.order ?? Infinity];
  return first === second ? compareText(sortKey(a), sortKey(b)) : first - second;
}

function sortKey({ kind, metadata }: AnyPolicy): string {
  return `${metadata.name}/${metadata.namespace ?? ''}/${kind}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

const known = new WeakMap<AnyPolicy, Policy | undefined>();

/**
 * Undefined for a policy that cannot be read: it counts as absent, as one that the store would never have taken. The
 * same object for the same resource. `before`: an older version of it, whose terms are taken over where they are the same.
 */
export function policyOf(policy: AnyPolicy, before?: AnyPolicy): Policy | undefined {
  if (!known.has(policy))
    known.set(
      policy,
      unlessUnreadable(() => readPolicy(policy, before)),
    );
  return known.get(policy);
}

function readPolicy(policy: AnyPolicy, before: AnyPolicy | undefined): Policy {
  const { kind, metadata, spec } = policy;
  const { ingress = [], egress = [] } = spec;
  const namespace = kind === 'NetworkPolicy' ? (metadata.namespace ?? '') : '';
  const types = spec.types?.length ? spec.types : impliedTypes(ingress.length, egress.length);
  return {
    kind,
    namespace,
    name: metadata.name,
    selector: policySelector(policy),
    stage: stageOf(policy),
    appliesOnForward: 'applyOnForward' in spec && spec.applyOnForward === true,
    ingress: types.includes('Ingress')
      ? ruleTerms(ingress, namespace, readRules('ingress', before))
      : undefined,
    egress: types.includes('Egress')
      ? ruleTerms(egress, namespace, readRules('egress', before))
      : undefined,
  };
}

/** Those of a policy that has been read already. */
function readRules(direction: Direction, policy: AnyPolicy | undefined): ReadRules | undefined {
  const terms = policy && known.get(policy)?.[direction];
  return terms && { rules: policy?.spec[direction] ?? [], terms };
}

function impliedTypes(ingress: number, egress: number): readonly ('Ingress' | 'Egress')[] {
  if (egress === 0) return ['Ingress'];
  return ingress > 0 ? ['Ingress', 'Egress'] : ['Egress'];
}
