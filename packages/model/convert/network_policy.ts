// NetworkPolicy of networking.k8s.io/v1.
import type { KubernetesNetworkPolicySpec } from '../kinds/kubernetes_policy.ts';
import { namespaceSelectorText, podSelectorText } from './label_selectors.ts';
import { type PortChoice, portGroups } from './port_lists.ts';

/** In front of the name, as upstream has it. */
export const NETWORK_POLICY_PREFIX = 'knp.default.';
const ORDER = 1000;

type Rules = NonNullable<KubernetesNetworkPolicySpec['ingress' | 'egress']>;
type Ports = Rules[number]['ports'];
type Peer = NonNullable<
  NonNullable<KubernetesNetworkPolicySpec['ingress']>[number]['from']
>[number];

/** The spec of the NetworkPolicy of projectcalico.org/v3 that does the same. */
export function networkPolicySpecOf(spec: KubernetesNetworkPolicySpec): Record<string, unknown> {
  const { podSelector, policyTypes = [], ingress = [], egress = [] } = spec;
  // Without a list of types a policy decides what comes in, and what goes out if it says anything about that.
  const types = policyTypes.length > 0 ? policyTypes : egress.length > 0 ? BOTH : INGRESS;
  return {
    tier: 'default',
    order: ORDER,
    selector: podSelectorText(podSelector),
    types: BOTH.filter((type) => types.includes(type)),
    ...(ingress.length > 0 && types.includes('Ingress')
      ? { ingress: ingress.flatMap(({ from, ports }) => rulesOf(from, ports, 'source')) }
      : {}),
    ...(egress.length > 0 && types.includes('Egress')
      ? { egress: egress.flatMap(({ to, ports }) => rulesOf(to, ports, 'destination')) }
      : {}),
  };
}

type Direction = 'Ingress' | 'Egress';
const INGRESS: readonly Direction[] = ['Ingress'];
const BOTH: readonly Direction[] = ['Ingress', 'Egress'];

function rulesOf(peers: readonly Peer[] = [], ports: Ports, side: 'source' | 'destination') {
  const entities = peers.length === 0 ? [{}] : peers.map(entityOf);
  return portGroups((ports ?? []).map(choiceOf)).flatMap(({ protocol, ports: numbers }) =>
    entities.map((entity) => {
      const destination = numbers.length === 0 ? {} : { ports: numbers };
      return {
        action: 'Allow',
        ...(protocol === undefined ? {} : { protocol }),
        ...(side === 'source'
          ? { source: entity, destination }
          : { source: {}, destination: { ...entity, ...destination } }),
      };
    }),
  );
}

function choiceOf({ protocol = 'TCP', port, endPort }: NonNullable<Ports>[number]): PortChoice {
  return { protocol, port: endPort === undefined ? port : `${port}:${endPort}` };
}

function entityOf({ podSelector, namespaceSelector, ipBlock }: Peer): Record<string, unknown> {
  if (ipBlock !== undefined) {
    const { cidr, except = [] } = ipBlock;
    return { nets: [cidr], ...(except.length > 0 ? { notNets: except } : {}) };
  }
  return {
    selector: podSelectorText(podSelector),
    ...(namespaceSelector === undefined
      ? {}
      : { namespaceSelector: namespaceSelectorText(namespaceSelector) }),
  };
}
