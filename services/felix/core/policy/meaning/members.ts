// Everything in the cluster that a rule's selector can name, with its addresses and named ports.
import { hostPrefix, IpError, type Prefix, parseAddress, parsePrefix } from '@calico/ip';
import {
  type GlobalNetworkSet,
  type HostEndpoint,
  type NetworkSet,
  protocolNumber,
  type WorkloadEndpoint,
} from '@calico/model';
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

export type MemberResource = WorkloadEndpoint | HostEndpoint | NetworkSet | GlobalNetworkSet;

/** All endpoints and network sets. What cannot be read of one of them is left out. */
export function membersOf(inputs: PolicyInputs, profileOf: ProfileLookup): Member[] {
  return MEMBER_LISTS.flatMap((list): readonly MemberResource[] => inputs[list]).map(
    (resource) => ({ labels: labelsOf(resource, profileOf), ...factsOf(resource) }),
  );
}

/** The lists of all that has members. */
export const MEMBER_LISTS = [
  'workloadEndpoints',
  'hostEndpoints',
  'networkSets',
  'globalNetworkSets',
] as const satisfies readonly (keyof PolicyInputs)[];

/** With those inherited from profiles. */
export function labelsOf(resource: MemberResource, profileOf: ProfileLookup): Labels {
  switch (resource.kind) {
    case 'WorkloadEndpoint':
      return endpointLabels(resource, profileOf);
    case 'HostEndpoint':
      return hostEndpointLabels(resource, profileOf);
    case 'NetworkSet':
      return networkSetLabels(resource, profileOf);
    case 'GlobalNetworkSet':
      return globalNetworkSetLabels(resource);
    default:
      return resource satisfies never;
  }
}

export type MemberFacts = Omit<Member, 'labels'>;

const known = new WeakMap<MemberResource, MemberFacts>();

/** Labels depend on profiles too, the rest on the resource alone. */
export function factsOf(resource: MemberResource): MemberFacts {
  const before = known.get(resource);
  if (before !== undefined) return before;
  const facts = readFacts(resource);
  known.set(resource, facts);
  return facts;
}

function readFacts(resource: MemberResource): MemberFacts {
  switch (resource.kind) {
    case 'WorkloadEndpoint': {
      const { ipNetworks = [], ports = [] } = resource.spec;
      return { prefixes: prefixesOf(ipNetworks), ports: portsOf(ports) };
    }
    case 'HostEndpoint': {
      const { expectedIPs = [], ports = [] } = resource.spec;
      const prefixes = expectedIPs.flatMap((text) => readable(text, addressPrefix));
      return { prefixes, ports: portsOf(ports) };
    }
    default:
      return { prefixes: prefixesOf(resource.spec.nets ?? []), ports: [] };
  }
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
