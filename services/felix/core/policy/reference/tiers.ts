// Which policies apply, and in which order, for the reference evaluator.
import type { GlobalNetworkPolicy, NetworkPolicy } from '@calico/model';
import { type Labels, parseSelector } from '@calico/selector';
import type { PolicyInputs } from '../../../ports.ts';
import { asAccounts, inNamespaces } from './selectors.ts';

export type Direction = 'ingress' | 'egress';
export type AnyPolicy = NetworkPolicy | GlobalNetworkPolicy;
export type Stage = 'normal' | 'untracked' | 'preDNAT';
export type OneTier = {
  readonly policies: readonly AnyPolicy[];
  readonly defaultAction: 'Deny' | 'Pass';
};

/** All tiers in order, with the policies of this stage that apply to endpoints with these labels. */
export function tiersOf(
  { tiers, networkPolicies, globalNetworkPolicies }: PolicyInputs,
  stage: Stage,
  direction: Direction,
  labels: Labels,
  isForward = false,
): OneTier[] {
  const all: { name: string; order: number; defaultAction: 'Deny' | 'Pass' }[] = [
    { name: 'default', order: 1e6, defaultAction: 'Deny' },
    { name: 'kube-admin', order: 1000, defaultAction: 'Pass' },
    { name: 'kube-baseline', order: 1e7, defaultAction: 'Pass' },
  ];
  for (const { metadata, spec } of tiers) {
    const at = all.findIndex(({ name }) => name === metadata.name);
    const tier = {
      name: metadata.name,
      order: spec.order ?? 1e6,
      defaultAction: spec.defaultAction,
    };
    if (at < 0) all.push(tier);
    else all[at] = tier;
  }
  const policies: AnyPolicy[] = [...networkPolicies, ...globalNetworkPolicies];
  return all
    .toSorted((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1))
    .map((tier) => ({
      ...tier,
      policies: policies
        .filter(
          (policy) =>
            policy.spec.tier === tier.name &&
            stageOf(policy) === stage &&
            (!isForward || ('applyOnForward' in policy.spec && policy.spec.applyOnForward)) &&
            applies(policy, direction, labels),
        )
        .toSorted((a, b) => {
          const [x, y] = [a.spec.order ?? 1e300, b.spec.order ?? 1e300];
          return x === y ? (textKey(a) < textKey(b) ? -1 : 1) : x - y;
        }),
    }));
}

function stageOf({ spec }: AnyPolicy): Stage {
  if ('doNotTrack' in spec && spec.doNotTrack) return 'untracked';
  return 'preDNAT' in spec && spec.preDNAT ? 'preDNAT' : 'normal';
}

function applies(policy: AnyPolicy, direction: Direction, labels: Labels): boolean {
  const { spec, metadata } = policy;
  const types =
    spec.types ??
    (spec.egress?.length
      ? spec.ingress?.length
        ? ['Ingress', 'Egress']
        : ['Egress']
      : ['Ingress']);
  if (!types.includes(direction === 'ingress' ? 'Ingress' : 'Egress')) return false;
  if (
    policy.kind === 'NetworkPolicy' &&
    labels['projectcalico.org/namespace'] !== metadata.namespace
  ) {
    return false;
  }
  if ('namespaceSelector' in spec && spec.namespaceSelector) {
    if (!parseSelector(inNamespaces(spec.namespaceSelector)).matches(labels)) return false;
  }
  const accounts = spec.serviceAccountSelector;
  if (accounts && !parseSelector(asAccounts(accounts)).matches(labels)) return false;
  return parseSelector(spec.selector).matches(labels);
}

function textKey({ kind, metadata }: AnyPolicy): string {
  return `${metadata.name}/${metadata.namespace ?? ''}/${kind}`;
}
