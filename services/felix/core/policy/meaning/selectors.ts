// The selectors of policies and rules as they take effect: limited to a namespace, and with what they say of
// namespaces and service accounts turned into labels that endpoints inherit.
import type { EntityRule, GlobalNetworkPolicy, NetworkPolicy } from '@calico/model';
import { allOf, type Expression, parseSelector, prefixLabels, Selector } from '@calico/selector';
import {
  NAMESPACE_LABEL,
  NAMESPACE_PREFIX,
  SERVICE_ACCOUNT_LABEL,
  SERVICE_ACCOUNT_PREFIX,
} from './labels.ts';

const parsed = new Map<string, Selector>();
const MOST_PARSED = 10_000;
const HAS_NAMESPACE: Expression = { kind: 'has', label: NAMESPACE_LABEL };

/** Parses with a memory: the same few texts come again with every change. */
export function selectorOf(text: string): Selector {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  if (parsed.size >= MOST_PARSED) parsed.clear();
  const selector = parseSelector(text);
  parsed.set(text, selector);
  return selector;
}

/** The endpoints that a policy applies to. */
export function policySelector(policy: NetworkPolicy | GlobalNetworkPolicy): Selector {
  const { spec } = policy;
  const selectors = [selectorOf(spec.selector)];
  if (policy.kind === 'NetworkPolicy') {
    selectors.unshift(inNamespace(policy.metadata.namespace ?? ''));
  } else if (policy.spec.namespaceSelector) {
    selectors.unshift(ofNamespaces(policy.spec.namespaceSelector));
  }
  if (spec.serviceAccountSelector) selectors.push(ofServiceAccounts(spec.serviceAccountSelector));
  return allOf(selectors);
}

/**
 * The endpoints and sets that one side of a rule names; undefined: the side does not limit them. `namespace` is
 * that of the policy, '' for a global one. As soon as a namespaced policy's rule uses any selector, also a
 * notSelector, it sees only its own namespace, unless it has a namespaceSelector.
 */
export function sideSelector(side: EntityRule, namespace: string): Selector | undefined {
  const { selector, notSelector, namespaceSelector, serviceAccounts } = side;
  const own: Selector[] = [];
  if (serviceAccounts?.selector) own.push(ofServiceAccounts(serviceAccounts.selector));
  if (serviceAccounts?.names?.length) own.push(ofNamedAccounts(serviceAccounts.names));
  if (selector) own.push(selectorOf(selector));
  if (namespaceSelector) return allOf([ofNamespaces(namespaceSelector), ...own]);
  const isLimited = namespace !== '' && (own.length > 0 || Boolean(notSelector));
  if (isLimited) return allOf([inNamespace(namespace), ...own]);
  return own.length === 0 ? undefined : allOf(own);
}

function inNamespace(namespace: string): Selector {
  return selectorOf(`${NAMESPACE_LABEL} == '${namespace}'`);
}

function ofNamespaces(text: string): Selector {
  return new Selector(onNamespaces(prefixLabels(selectorOf(text).expression, NAMESPACE_PREFIX)));
}

function ofServiceAccounts(text: string): Selector {
  return new Selector(prefixLabels(selectorOf(text).expression, SERVICE_ACCOUNT_PREFIX));
}

function ofNamedAccounts(names: readonly string[]): Selector {
  return selectorOf(`${SERVICE_ACCOUNT_LABEL} in {${names.map((name) => `'${name}'`).join()}}`);
}

/** all() means every namespace, global() what is in none. */
function onNamespaces(expression: Expression): Expression {
  switch (expression.kind) {
    case 'all':
      return HAS_NAMESPACE;
    case 'global':
      return { kind: 'not', operand: HAS_NAMESPACE };
    case 'not':
      return { kind: 'not', operand: onNamespaces(expression.operand) };
    case 'and':
    case 'or':
      return { kind: expression.kind, operands: expression.operands.map(onNamespaces) };
    case 'has':
    case 'compare':
    case 'in':
      return expression;
    default:
      return expression satisfies never;
  }
}
