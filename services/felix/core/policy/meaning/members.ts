// Everything in the cluster that a rule's selector can name, with its addresses and named ports.
import { hostPrefix, IpError, type Prefix, parseAddress, parsePrefix } from '@calico/ip';
import { protocolNumber, type WorkloadEndpoint } from '@calico/model';
import type { Labels } from '@calico/selector';
import type { PolicyInputs } from '../../../ports.ts';
import {
  endpointLabels,
  globalNetworkSetLabels,
  hostEndpointLabels,
  networkSetLabels,
  type ProfileLookup,
} from './labels.ts';

export type Member = {
  readonly labels: Labels;
  /** Of one address for endpoints, of any length for network sets. */
  readonly prefixes: readonly Prefix[];
  readonly ports: readonly NamedPort[];
};

export type NamedPort = { readonly name: string; readonly protocol: number; readonly port: number };

/** All endpoints and network sets. What cannot be read of one of them is left out. */
export function membersOf(inputs: PolicyInputs, profileOf: ProfileLookup): Member[] {
  return [
    ...inputs.workloadEndpoints.map((endpoint) => ({
      labels: endpointLabels(endpoint, profileOf),
      ...factsOf(endpoint),
    })),
    ...inputs.hostEndpoints.map((endpoint) => ({
      labels: hostEndpointLabels(endpoint, profileOf),
      prefixes: (endpoint.spec.expectedIPs ?? []).flatMap((text) => readable(text, addressPrefix)),
      ports: portsOf(endpoint.spec.ports ?? []),
    })),
    ...inputs.networkSets.map((set) => ({
      labels: networkSetLabels(set, profileOf),
      prefixes: prefixesOf(set.spec.nets ?? []),
      ports: [],
    })),
    ...inputs.globalNetworkSets.map((set) => ({
      labels: globalNetworkSetLabels(set),
      prefixes: prefixesOf(set.spec.nets ?? []),
      ports: [],
    })),
  ];
}

const known = new WeakMap<WorkloadEndpoint, Omit<Member, 'labels'>>();

/** Labels depend on profiles too, the rest on the endpoint alone. */
function factsOf(endpoint: WorkloadEndpoint): Omit<Member, 'labels'> {
  const before = known.get(endpoint);
  if (before !== undefined) return before;
  const { ipNetworks = [], ports = [] } = endpoint.spec;
  const facts = { prefixes: prefixesOf(ipNetworks), ports: portsOf(ports) };
  known.set(endpoint, facts);
  return facts;
}

/** Addresses of an endpoint. */
export function endpointPrefixes(endpoint: WorkloadEndpoint): readonly Prefix[] {
  return factsOf(endpoint).prefixes;
}

/** Prefixes of texts; bits behind the length do not matter. */
export function prefixesOf(texts: readonly string[]): Prefix[] {
  return texts.flatMap((text) => readable(text, (one) => parsePrefix(one, { hostBits: 'clear' })));
}

function addressPrefix(text: string): Prefix {
  return hostPrefix(parseAddress(text));
}

function readable(text: string, parse: (text: string) => Prefix): Prefix[] {
  try {
    return [parse(text)];
  } catch (cause) {
    if (cause instanceof IpError) return [];
    throw cause;
  }
}

type PortSpec = {
  readonly name: string;
  readonly protocol: string | number;
  readonly port: number;
};

function portsOf(ports: readonly PortSpec[]): NamedPort[] {
  return ports
    .filter(({ name }) => name !== '')
    .flatMap(({ name, protocol, port }) => {
      const number = protocolOf(protocol);
      return number === undefined ? [] : [{ name, protocol: number, port }];
    });
}

/** In any case, since container runtimes write "tcp". */
function protocolOf(protocol: string | number): number | undefined {
  if (typeof protocol === 'number') return protocol;
  const names = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP' } as const;
  const name = names[protocol.toLowerCase() as keyof typeof names];
  return name === undefined ? undefined : protocolNumber(name);
}
