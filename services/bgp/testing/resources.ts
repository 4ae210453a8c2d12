// Resources for tests, as an operator would write them.
import { type AnyResource, parseResource, parseStored } from '@calico/model';

const API = 'projectcalico.org/v3';

export function node(
  name: string,
  address: string,
  bgp: Readonly<Record<string, unknown>> = {},
  labels: Readonly<Record<string, string>> = {},
): AnyResource {
  return parseResource({
    apiVersion: API,
    kind: 'Node',
    metadata: { name, labels },
    spec: { bgp: { ipv4Address: address, ...bgp } },
  });
}

export function pool(cidr: string, spec: Readonly<Record<string, unknown>> = {}): AnyResource {
  const name = `pool-${cidr.replaceAll(/[./:]/g, '-')}`;
  return parseResource({
    apiVersion: API,
    kind: 'IPPool',
    metadata: { name },
    spec: { cidr, ...spec },
  });
}

export function bgpConfiguration(
  spec: Readonly<Record<string, unknown>>,
  name = 'default',
): AnyResource {
  return parseResource({ apiVersion: API, kind: 'BGPConfiguration', metadata: { name }, spec });
}

export function bgpPeer(name: string, spec: Readonly<Record<string, unknown>>): AnyResource {
  return parseResource({ apiVersion: API, kind: 'BGPPeer', metadata: { name }, spec });
}

export function bgpFilter(name: string, spec: Readonly<Record<string, unknown>>): AnyResource {
  return parseResource({ apiVersion: API, kind: 'BGPFilter', metadata: { name }, spec });
}

export function affinity(owner: string, cidr: string, state = 'confirmed'): AnyResource {
  const name = `${owner}-${cidr.replaceAll(/[./:]/g, '-')}`;
  const spec = { node: owner, type: 'host', cidr, state, deleted: false };
  return parseStored(
    'BlockAffinity',
    JSON.stringify({ apiVersion: API, kind: 'BlockAffinity', metadata: { name }, spec }),
  );
}

/** A workload with the address and with label `app` as its name says. */
export function workload(name: string, onNode: string, address: string): AnyResource {
  const spec = {
    orchestrator: 'k8s',
    node: onNode,
    pod: name,
    endpoint: 'eth0',
    ipNetworks: [`${address}/32`],
    interfaceName: 'cali12345678901',
  };
  const metadata = {
    name: `${onNode.replaceAll('-', '--')}-k8s-${name}-eth0`,
    namespace: 'default',
    labels: { app: name },
  };
  return parseResource({ apiVersion: API, kind: 'WorkloadEndpoint', metadata, spec });
}

/** @param nodes which node each allocated ordinal is used on */
export function ipamBlock(
  cidr: string,
  owner: string,
  nodes: Readonly<Record<number, string>>,
): AnyResource {
  const name = cidr.replaceAll(/[./:]/g, '-');
  const users = Object.entries(nodes);
  const allocations = Array.from({ length: 64 }, (_, ordinal) => {
    const index = users.findIndex(([at]) => Number(at) === ordinal);
    return index < 0 ? null : index;
  });
  const attributes = users.map(([, user], index) => ({
    handle_id: `handle-${index}`,
    secondary: { node: user, pod: 'web', namespace: 'default' },
  }));
  const unallocated = allocations.flatMap((index, ordinal) => (index === null ? [ordinal] : []));
  const spec = { cidr, affinity: `host:${owner}`, allocations, unallocated, attributes };
  return parseStored(
    'IPAMBlock',
    JSON.stringify({ apiVersion: API, kind: 'IPAMBlock', metadata: { name }, spec }),
  );
}

/** Of namespace "default", of type LoadBalancer. @param ingress addresses of load balancers */
export function service(
  name: string,
  spec: Readonly<Record<string, unknown>>,
  ingress: readonly string[] = [],
): AnyResource {
  return parseResource({
    apiVersion: API,
    kind: 'KubernetesService',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', clusterIP: '10.96.0.1', ...spec },
    status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } },
  });
}

/** @param nodes of ready endpoints; with "!" before it, of one that is not ready */
export function endpointSlice(
  name: string,
  ofService: string,
  nodes: readonly string[],
  addressType: 'IPv4' | 'IPv6' = 'IPv4',
): AnyResource {
  const endpoints = nodes.map((on, index) => ({
    addresses: [addressType === 'IPv4' ? `10.244.0.${index}` : `fd00:10:244::${index}`],
    nodeName: on.replace('!', ''),
    // Kubernetes may leave out what is so.
    conditions: on.startsWith('!') ? { ready: false } : {},
  }));
  return parseResource({
    apiVersion: API,
    kind: 'KubernetesEndpointSlice',
    metadata: {
      name,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': ofService },
    },
    spec: { addressType, endpoints },
  });
}
