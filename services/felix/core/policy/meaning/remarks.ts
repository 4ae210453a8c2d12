// What an operator should know about the policies of the cluster, because it has no effect, or not the expected one.
import type { PolicyRule, Tier } from '@calico/model';
import { type AnyPolicy, hasTier, policyOf } from './ordering.ts';

/** One sentence each, sorted; naming policy, rule and field. */
export function policyRemarks(
  policies: readonly AnyPolicy[],
  tiers: readonly Tier[],
): readonly string[] {
  return policies
    .flatMap((policy) =>
      hasTier(tiers, policy.spec.tier)
        ? ownRemarks(policy)
        : [`${titleOf(policy)} is not enforced: tier "${policy.spec.tier}" does not exist`],
    )
    .toSorted();
}

const remembered = new WeakMap<AnyPolicy, readonly string[]>();

function ownRemarks(policy: AnyPolicy): readonly string[] {
  const before = remembered.get(policy);
  if (before !== undefined) return before;
  const remarks = policyOf(policy)
    ? [...rulesOf(policy)].flatMap(([where, rule]) =>
        ineffective(rule).map(
          (field) => `${titleOf(policy)} ${where} matches nothing: ${field} is not supported`,
        ),
      )
    : [`${titleOf(policy)} is not enforced: it cannot be read`];
  remembered.set(policy, remarks);
  return remarks;
}

function* rulesOf({ spec }: AnyPolicy): Iterable<[string, PolicyRule]> {
  for (const direction of ['ingress', 'egress'] as const) {
    for (const [index, rule] of (spec[direction] ?? []).entries()) {
      yield [`${direction} rule ${index + 1}`, rule];
    }
  }
}

/** Fields that no packet filter sees. */
function ineffective({ http }: PolicyRule): string[] {
  return http === undefined ? [] : ['http'];
}

function titleOf({ kind, metadata }: AnyPolicy): string {
  const { namespace, name } = metadata;
  return kind === 'NetworkPolicy' ? `${kind} ${namespace ?? ''}/${name}` : `${kind} ${name}`;
}
