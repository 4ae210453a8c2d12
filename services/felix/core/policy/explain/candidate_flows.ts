// Flows that stand for all that a change of policies may treat differently: one for every port that its rules name,
// and one for all other ports.
import {
  type GlobalNetworkPolicy,
  type NetworkPolicy,
  type PolicyRule,
  parsePort,
  protocolNumber,
  type WorkloadEndpoint,
} from '@calico/model';
import { protocolName } from './mismatches.ts';

export type FlowKind = {
  /** "TCP port 80", "UDP, other ports", "ICMP". */
  readonly what: string;
  readonly protocol: number;
  /** 0 for ICMP; a name is looked up at the destination. */
  readonly port: number | string;
};

const [TCP, UDP, SCTP] = [6, 17, 132];
const WITH_PORTS = [TCP, UDP, SCTP];
const MOST_FLOWS = 24;

export function candidateFlows(
  policies: readonly (NetworkPolicy | GlobalNetworkPolicy)[],
): FlowKind[] {
  const rules = policies.flatMap(({ spec }) => [...(spec.ingress ?? []), ...(spec.egress ?? [])]);
  const named = new Map<string, FlowKind>();
  for (const rule of rules) {
    for (const flow of flowsOf(rule)) named.set(flow.what, flow);
  }
  const flows = [...named.values()].slice(0, MOST_FLOWS);
  const taken = flows.map(({ port }) => port);
  const port = [40_001, 40_002, 40_003].find((one) => !taken.includes(one)) ?? 40_004;
  const others = [TCP, UDP, ...(flows.some(({ protocol }) => protocol === SCTP) ? [SCTP] : [])];
  return [
    ...flows,
    ...others.map((protocol) => ({
      what: `${protocolName(protocol)}, other ports`,
      protocol,
      port,
    })),
    { what: 'ICMP', protocol: 1, port: 0 },
  ];
}

function flowsOf({ protocol, destination }: PolicyRule): FlowKind[] {
  const number = protocol === undefined ? undefined : protocolNumber(protocol);
  const protocols = number === undefined ? [TCP, UDP] : [number];
  const ports = [...(destination?.ports ?? []), ...(destination?.notPorts ?? [])];
  return protocols
    .filter((one) => WITH_PORTS.includes(one))
    .flatMap((one) =>
      ports.flatMap((port) => {
        const match = parsePort(port);
        if (match === undefined) return [];
        const first = match.kind === 'named' ? match.name : match.first;
        return [{ what: `${protocolName(one)} port ${port}`, protocol: one, port: first }];
      }),
    );
}

/** The number of a port at its destination; undefined: the destination has no port of this name. */
export function portAt(
  { protocol, port }: FlowKind,
  destination: WorkloadEndpoint | undefined,
): number | undefined {
  if (typeof port === 'number') return port;
  return destination?.spec.ports?.find(
    (one) => one.name === port && String(one.protocol).toUpperCase() === protocolName(protocol),
  )?.port;
}
