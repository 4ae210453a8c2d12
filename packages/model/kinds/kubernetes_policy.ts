// The specs of Kubernetes' own policies: NetworkPolicy (networking.k8s.io/v1), AdminNetworkPolicy and
// BaselineAdminNetworkPolicy (policy.networking.k8s.io/v1alpha1), ClusterNetworkPolicy (v1alpha2).
import * as z from 'zod';
import type { Report, SchemaStyle } from '../schema_style.ts';
import { parsePort } from './policy_rule.ts';
import { cidr, integer } from './scalars.ts';

const protocolName = z.enum(['TCP', 'UDP', 'SCTP']);
const portNumber = integer(1, 65_535);
const portName = z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected the name of a port');

function labelSelector(style: SchemaStyle) {
  const expression = style.object({
    key: z.string().min(1),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: z.array(z.string()).optional(),
  });
  return style.object({
    matchLabels: z.record(z.string(), z.string()).optional(),
    matchExpressions: z
      .array(style.cross(expression, [['operator', 'values'], checkValues]))
      .optional(),
  });
}

export type LabelSelector = z.output<ReturnType<typeof labelSelector>>;

function checkValues(
  { operator, values = [] }: { operator: string; values?: string[] | undefined },
  report: Report,
): void {
  const needsValues = operator === 'In' || operator === 'NotIn';
  if (needsValues && values.length === 0) report(['values'], values, 'expected at least one value');
  if (!needsValues && values.length > 0) {
    report(['values'], values, `expected none with operator ${operator}`);
  }
}

function networkPolicyFields(style: SchemaStyle) {
  const selector = labelSelector(style);
  const peer = style.cross(
    style.object({
      podSelector: selector.optional(),
      namespaceSelector: selector.optional(),
      ipBlock: style.object({ cidr, except: z.array(cidr).optional() }).optional(),
    }),
    [['podSelector', 'namespaceSelector', 'ipBlock'], checkPeer],
  );
  const port = style.cross(
    style.object({
      protocol: protocolName.optional(),
      port: z.union([z.string(), z.number()]).optional(),
      endPort: portNumber.optional(),
    }),
    [['port', 'endPort'], checkPort],
  );
  const ports = z.array(port).optional();
  return {
    podSelector: selector.optional(),
    policyTypes: z.array(z.enum(['Ingress', 'Egress'])).optional(),
    ingress: z.array(style.object({ from: z.array(peer).optional(), ports })).optional(),
    egress: z.array(style.object({ to: z.array(peer).optional(), ports })).optional(),
  };
}

export function kubernetesNetworkPolicySpec(style: SchemaStyle) {
  return style.object(networkPolicyFields(style));
}

export function stagedKubernetesNetworkPolicySpec(style: SchemaStyle) {
  const stagedAction = z.enum(['Set', 'Delete', 'Learn', 'Ignore']).default('Set');
  return style.object({ ...networkPolicyFields(style), stagedAction });
}

export type KubernetesNetworkPolicySpec = z.output<ReturnType<typeof kubernetesNetworkPolicySpec>>;

function checkPeer(
  peer: { podSelector?: unknown; namespaceSelector?: unknown; ipBlock?: unknown },
  report: Report,
): void {
  const hasSelector = peer.podSelector !== undefined || peer.namespaceSelector !== undefined;
  if (hasSelector === (peer.ipBlock !== undefined)) {
    report([], undefined, 'expected either ipBlock, or podSelector, namespaceSelector or both');
  }
}

function checkPort(
  { port, endPort }: { port?: string | number | undefined; endPort?: number | undefined },
  report: Report,
): void {
  const match = port === undefined ? undefined : parsePort(port);
  if (port !== undefined && (match === undefined || (match.kind === 'range' && match.first < 1))) {
    report(['port'], port, 'expected a number from 1 to 65535 or the name of a port');
  }
  if (endPort === undefined) return;
  if (typeof port !== 'number') report(['endPort'], endPort, 'expected only with a port number');
  else if (endPort < port) report(['endPort'], endPort, `expected at least ${port}`);
}

function subject(style: SchemaStyle) {
  const selector = labelSelector(style);
  return style.object({
    namespaces: selector.optional(),
    pods: style.object({ namespaceSelector: selector, podSelector: selector }).optional(),
  });
}

function peers(style: SchemaStyle) {
  return z.array(subject(style)).min(1);
}

/** Peers of egress rules can be networks as well; nodes and domain names are not supported. */
function destinations(style: SchemaStyle) {
  const peer = subject(style).extend({ networks: z.array(cidr).min(1).optional() });
  return z.array(peer).min(1);
}

function adminPorts(style: SchemaStyle) {
  const range = { start: portNumber, end: portNumber };
  const port = style.object({
    portNumber: style
      .object({ protocol: protocolName.default('TCP'), port: portNumber })
      .optional(),
    portRange: style.object({ protocol: protocolName.default('TCP'), ...range }).optional(),
    namedPort: portName.optional(),
  });
  return z.array(port).optional();
}

function adminRules(style: SchemaStyle, hasPass: boolean) {
  const action = hasPass ? z.enum(['Allow', 'Deny', 'Pass']) : z.enum(['Allow', 'Deny']);
  const shared = { name: z.string().optional(), action, ports: adminPorts(style) };
  return {
    subject: subject(style),
    ingress: z.array(style.object({ ...shared, from: peers(style) })).optional(),
    egress: z.array(style.object({ ...shared, to: destinations(style) })).optional(),
  };
}

export function adminNetworkPolicySpec(style: SchemaStyle) {
  return style.object({ priority: integer(0, 1000), ...adminRules(style, true) });
}

export function baselineAdminNetworkPolicySpec(style: SchemaStyle) {
  return style.object(adminRules(style, false));
}

function clusterProtocols(style: SchemaStyle) {
  const range = style.object({ start: portNumber, end: portNumber });
  const port = style.object({ number: portNumber.optional(), range: range.optional() });
  const transport = style.object({ destinationPort: port.optional() });
  const protocol = style.object({
    tcp: transport.optional(),
    udp: transport.optional(),
    sctp: transport.optional(),
    destinationNamedPort: portName.optional(),
  });
  return z.array(protocol).optional();
}

export function clusterNetworkPolicySpec(style: SchemaStyle) {
  const shared = {
    name: z.string().optional(),
    action: z.enum(['Accept', 'Deny', 'Pass']),
    protocols: clusterProtocols(style),
  };
  return style.object({
    tier: z.enum(['Admin', 'Baseline']),
    priority: integer(0, 1000),
    subject: subject(style),
    ingress: z.array(style.object({ ...shared, from: peers(style) })).optional(),
    egress: z.array(style.object({ ...shared, to: destinations(style) })).optional(),
  });
}

export type AdminNetworkPolicySpec = z.output<ReturnType<typeof adminNetworkPolicySpec>>;
export type BaselineAdminNetworkPolicySpec = z.output<
  ReturnType<typeof baselineAdminNetworkPolicySpec>
>;
export type ClusterNetworkPolicySpec = z.output<ReturnType<typeof clusterNetworkPolicySpec>>;
export type PolicySubject = z.output<ReturnType<typeof subject>>;
export type PolicyDestination = z.output<ReturnType<typeof destinations>>[number];
