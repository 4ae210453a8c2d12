// AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy: policies of the whole cluster, in the tier
// before all others or after them. What a rule does not decide passes on.
import type {
  AdminNetworkPolicySpec,
  BaselineAdminNetworkPolicySpec,
  ClusterNetworkPolicySpec,
  PolicyDestination,
  PolicySubject,
} from '../kinds/kubernetes_policy.ts';
import { namespaceSelectorText, podSelectorText } from './label_selectors.ts';
import { type PortChoice, type Protocol, portGroups } from './port_lists.ts';

/** In front of the names, as upstream has them. */
export const ADMIN_PREFIX = 'kanp.adminnetworkpolicy.';
export const BASELINE_PREFIX = 'kbanp.baselineadminnetworkpolicy.';
export const CLUSTER_PREFIXES = {
  Admin: 'kcnp.kube-admin.',
  Baseline: 'kcnp.kube-baseline.',
} as const;
const TIERS = { Admin: 'kube-admin', Baseline: 'kube-baseline' } as const;
/** A rule's name becomes an annotation of it. */
const RULE_NAME = 'policy.networking.k8s.io/name';

/** One rule of any of the three kinds. */
type Rule = {
  readonly name: string | undefined;
  readonly action: 'Allow' | 'Deny' | 'Pass';
  readonly peers: readonly PolicyDestination[];
  readonly ports: readonly PortChoice[];
};

type Policy = {
  readonly tier: string;
  readonly order: number;
  readonly subject: PolicySubject;
  readonly ingress: readonly Rule[];
  readonly egress: readonly Rule[];
};

export function adminPolicySpecOf(spec: AdminNetworkPolicySpec): Record<string, unknown> {
  return policySpec({ tier: TIERS.Admin, order: spec.priority, ...adminRules(spec) });
}

/** There is one in a cluster, named "default"; it comes after every ClusterNetworkPolicy. */
export function baselinePolicySpecOf(
  spec: BaselineAdminNetworkPolicySpec,
): Record<string, unknown> {
  return policySpec({ tier: TIERS.Baseline, order: BASELINE_ORDER, ...adminRules(spec) });
}

const BASELINE_ORDER = 1000;

function adminRules({
  subject,
  ingress = [],
  egress = [],
}: BaselineAdminNetworkPolicySpec | AdminNetworkPolicySpec) {
  const ports = (list: (typeof ingress)[number]['ports'] = []): PortChoice[] =>
    list.map(({ portNumber, portRange, namedPort }) => {
      if (portNumber !== undefined) return portNumber;
      if (portRange === undefined) return { protocol: undefined, port: namedPort };
      return { protocol: portRange.protocol, port: `${portRange.start}:${portRange.end}` };
    });
  return {
    subject,
    ingress: ingress.map((rule) => ({
      name: rule.name,
      action: rule.action,
      peers: rule.from,
      ports: ports(rule.ports),
    })),
    egress: egress.map((rule) => ({
      name: rule.name,
      action: rule.action,
      peers: rule.to,
      ports: ports(rule.ports),
    })),
  };
}

const ACTIONS = { Accept: 'Allow', Deny: 'Deny', Pass: 'Pass' } as const;

export function clusterPolicySpecOf(spec: ClusterNetworkPolicySpec): Record<string, unknown> {
  const { tier, priority, subject, ingress = [], egress = [] } = spec;
  return policySpec({
    tier: TIERS[tier],
    order: priority,
    subject,
    ingress: ingress.map((rule) => ({
      name: rule.name,
      action: ACTIONS[rule.action],
      peers: rule.from,
      ports: protocolChoices(rule.protocols),
    })),
    egress: egress.map((rule) => ({
      name: rule.name,
      action: ACTIONS[rule.action],
      peers: rule.to,
      ports: protocolChoices(rule.protocols),
    })),
  });
}

type ClusterProtocols = NonNullable<ClusterNetworkPolicySpec['ingress']>[number]['protocols'];

function protocolChoices(protocols: ClusterProtocols = []): PortChoice[] {
  return protocols.map(({ tcp, udp, sctp, destinationNamedPort }) => {
    const found = Object.entries({ TCP: tcp, UDP: udp, SCTP: sctp }).find(([, value]) => value);
    if (found === undefined) return { protocol: undefined, port: destinationNamedPort };
    const [protocol, transport] = found as [Protocol, typeof tcp];
    const { number, range } = transport?.destinationPort ?? {};
    return { protocol, port: number ?? (range && `${range.start}:${range.end}`) };
  });
}

function policySpec({ tier, order, subject, ingress, egress }: Policy): Record<string, unknown> {
  const { selector = podSelectorText(undefined), namespaceSelector } = entityOf(subject);
  return {
    tier,
    order,
    selector,
    namespaceSelector,
    // These tiers pass on what no rule decides: only rules are a reason to be asked.
    types: [
      ...(ingress.length > 0 || egress.length === 0 ? ['Ingress'] : []),
      ...(egress.length > 0 ? ['Egress'] : []),
    ],
    ...(ingress.length > 0 ? { ingress: ingress.flatMap((rule) => rulesOf(rule, 'source')) } : {}),
    ...(egress.length > 0
      ? { egress: egress.flatMap((rule) => rulesOf(rule, 'destination')) }
      : {}),
  };
}

function rulesOf({ name, action, peers, ports }: Rule, side: 'source' | 'destination') {
  const metadata = name === undefined ? {} : { metadata: { annotations: { [RULE_NAME]: name } } };
  return portGroups(ports).flatMap(({ protocol, ports: numbers }) =>
    peers.flatMap(entitiesOf).map((entity) => {
      const destination = numbers.length === 0 ? {} : { ports: numbers };
      return {
        ...metadata,
        action,
        ...(protocol === undefined ? {} : { protocol }),
        ...(side === 'source'
          ? { source: entity, destination }
          : { source: {}, destination: { ...entity, ...destination } }),
      };
    }),
  );
}

/** A rule names networks of one family only. */
function entitiesOf(peer: PolicyDestination): Record<string, unknown>[] {
  if (peer.networks === undefined) return [entityOf(peer)];
  const families = Map.groupBy(peer.networks, (net) => net.includes(':'));
  return [...families.values()].map((nets) => ({ nets }));
}

function entityOf({ namespaces, pods }: PolicySubject): {
  selector?: string;
  namespaceSelector: string;
} {
  if (pods === undefined) return { namespaceSelector: namespaceSelectorText(namespaces ?? {}) };
  return {
    selector: podSelectorText(pods.podSelector),
    namespaceSelector: namespaceSelectorText(pods.namespaceSelector),
  };
}
