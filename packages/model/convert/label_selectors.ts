// Kubernetes' label selectors in Calico's language.
import type { LabelSelector } from '../kinds/kubernetes_policy.ts';

const IS_POD = "projectcalico.org/orchestrator == 'k8s'";

/** Undefined selects all pods; host endpoints are no pods. */
export function podSelectorText(selector: LabelSelector | undefined): string {
  return [IS_POD, ...termsOf(selector)].join(' && ');
}

/** Every namespace when it has no terms. */
export function namespaceSelectorText(selector: LabelSelector): string {
  const terms = termsOf(selector);
  return terms.length === 0 ? 'all()' : terms.join(' && ');
}

function termsOf(selector: LabelSelector | undefined): string[] {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  const labels = Object.entries(matchLabels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key} == '${value}'`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => {
    const list = values.map((value) => `'${value}'`).join(', ');
    switch (operator) {
      case 'In':
        return `${key} in { ${list} }`;
      case 'NotIn':
        return `${key} not in { ${list} }`;
      case 'Exists':
        return `has(${key})`;
      case 'DoesNotExist':
        return `! has(${key})`;
      default:
        return operator satisfies never;
    }
  });
  return [...labels, ...expressions];
}
