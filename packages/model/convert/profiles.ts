// Namespaces and service accounts: what their pods inherit.

const ALLOW = [{ action: 'Allow' }];
const NAME = 'projectcalico.org/name';
/** Kubernetes gives every namespace this label. */
const NAMESPACE_NAME = 'kubernetes.io/metadata.name';

type Labels = Readonly<Record<string, string>>;

/** Profile "kns.<namespace>": allows all, and lends the namespace's labels. */
export function namespaceProfile(name: string, labels: Labels) {
  const lent = { [NAMESPACE_NAME]: name, ...labels, [NAME]: name };
  return {
    name: `kns.${name}`,
    spec: { ingress: ALLOW, egress: ALLOW, labelsToApply: prefixed('pcns.', lent) },
  };
}

/** Profile "ksa.<namespace>.<name>": no rules, and the account's labels. */
export function serviceAccountProfile(namespace: string, name: string, labels: Labels) {
  return {
    name: `ksa.${namespace}.${name}`,
    spec: { labelsToApply: prefixed('pcsa.', { ...labels, [NAME]: name }) },
  };
}

function prefixed(prefix: string, labels: Labels): Labels {
  return Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [prefix + label, value]),
  );
}
