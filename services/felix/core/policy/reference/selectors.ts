// What selectors of policies and rules mean, as upstream composes them: texts joined with &&.
import type { EntityRule } from '@calico/model';
import { parseSelector, prefixLabels, Selector } from '@calico/selector';

/** Of one side of a rule in a policy of this namespace ('': global); undefined: anything. */
export function sideSelector(side: EntityRule, namespace: string): Selector | undefined {
  const { selector, notSelector, namespaceSelector, serviceAccounts } = side;
  const parts: string[] = [];
  if (serviceAccounts?.selector) parts.push(asAccounts(serviceAccounts.selector));
  if (serviceAccounts?.names?.length) {
    const names = serviceAccounts.names.map((name) => `'${name}'`).join();
    parts.push(`projectcalico.org/serviceaccount in {${names}}`);
  }
  if (selector) parts.push(selector);
  if (namespaceSelector) {
    parts.push(inNamespaces(namespaceSelector));
  } else if (namespace !== '' && (parts.length > 0 || notSelector)) {
    parts.push(`projectcalico.org/namespace == '${namespace}'`);
  }
  return parts.length === 0
    ? undefined
    : parseSelector(parts.map((part) => `(${part})`).join('&&'));
}

/** A selector of namespaces, as one of the endpoints in them. */
export function inNamespaces(text: string): string {
  return prefixed(text, 'pcns.')
    .replaceAll('all()', 'has(projectcalico.org/namespace)')
    .replaceAll('global()', '!has(projectcalico.org/namespace)');
}

/** A selector of service accounts, as one of the endpoints that run as them. */
export function asAccounts(text: string): string {
  return prefixed(text, 'pcsa.');
}

function prefixed(text: string, prefix: string): string {
  return new Selector(prefixLabels(parseSelector(text).expression, prefix)).canonical;
}
