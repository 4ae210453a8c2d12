// Whom a person means by "default/web", "k8s-node01" or "10.244.58.193". Pure.
import { type Address, formatAddress, IpError, parseAddress } from '@calico/ip';
import type { AnyResource, Kind, Node, WorkloadEndpoint } from '@calico/model';

export type ConnectionEnd = {
  readonly kind: 'pod' | 'node' | 'outside';
  /** "default/web", "k8s-node01" or an address. */
  readonly name: string;
  /** '' for the outside. */
  readonly node: string;
  /** At most one of each family; those that were asked for come first. */
  readonly addresses: readonly Address[];
};

/** What is known of the cluster. */
export type Cluster = {
  list<K extends Kind>(kind: K): readonly Extract<AnyResource, { readonly kind: K }>[];
};

/** Undefined: nobody is called so, and it is no address. */
export function findEnd(cluster: Cluster, text: string): ConnectionEnd | undefined {
  const address = readAddress(text);
  if (address !== undefined) return endAt(cluster, address);
  const nodes = cluster.list('Node');
  const node = nodes.find(({ metadata }) => metadata.name === text);
  if (node !== undefined) return nodeEnd(node);
  const [namespace, name] = text.includes('/') ? text.split('/') : ['default', text];
  const pod = cluster
    .list('WorkloadEndpoint')
    .find(
      ({ metadata, spec }) =>
        metadata.namespace === namespace && (spec.pod ?? metadata.name) === name,
    );
  return pod && podEnd(pod);
}

/** Addresses of one family for both ends, IPv4 if there is a choice; undefined: there is none. */
export function commonAddresses(
  from: ConnectionEnd,
  to: ConnectionEnd,
  family: 4 | 6 | undefined,
): readonly [Address, Address] | undefined {
  for (const each of family === undefined ? [4, 6] : [family]) {
    const [source, destination] = [from, to].map(({ addresses }) =>
      addresses.find((address) => address.family === each),
    );
    if (source !== undefined && destination !== undefined) return [source, destination];
  }
  return undefined;
}

function endAt(cluster: Cluster, address: Address): ConnectionEnd {
  const text = formatAddress(address);
  const only = (end: ConnectionEnd): ConnectionEnd => ({ ...end, addresses: [address] });
  const pod = cluster
    .list('WorkloadEndpoint')
    .find(({ spec }) => spec.ipNetworks?.some((net) => net.split('/')[0] === text));
  if (pod !== undefined) return only(podEnd(pod));
  const node = cluster.list('Node').find((one) => nodeAddresses(one).includes(text));
  if (node !== undefined) return only(nodeEnd(node));
  return { kind: 'outside', name: text, node: '', addresses: [address] };
}

function podEnd({ metadata, spec }: WorkloadEndpoint): ConnectionEnd {
  return {
    kind: 'pod',
    name: `${metadata.namespace ?? ''}/${spec.pod ?? metadata.name}`,
    node: spec.node,
    addresses: readAll((spec.ipNetworks ?? []).map((net) => net.split('/')[0] ?? '')),
  };
}

function nodeEnd(node: Node): ConnectionEnd {
  const { name } = node.metadata;
  return { kind: 'node', name, node: name, addresses: readAll(nodeAddresses(node)) };
}

function nodeAddresses({ spec }: Node): string[] {
  const { bgp, addresses = [] } = spec;
  return [bgp?.ipv4Address, bgp?.ipv6Address, ...addresses.map(({ address }) => address)].flatMap(
    (text) => (text === undefined ? [] : [text.split('/')[0] ?? '']),
  );
}

function readAll(texts: readonly string[]): Address[] {
  return texts.flatMap((text) => readAddress(text) ?? []);
}

function readAddress(text: string): Address | undefined {
  try {
    return parseAddress(text);
  } catch (cause) {
    if (cause instanceof IpError) return undefined;
    throw cause;
  }
}
