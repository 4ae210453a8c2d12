// The resources of the walk-through, as an operator would write them.
import { stringify } from 'yaml';
import { AS_NUMBER, POOL, poolModes, type Topology } from './topology.ts';

const API_VERSION = 'projectcalico.org/v3';

export function poolManifest(topology: Topology): string {
  return document(
    {
      apiVersion: API_VERSION,
      kind: 'IPPool',
      metadata: { name: POOL.name },
      spec: {
        cidr: POOL.cidr,
        blockSize: POOL.blockSize,
        ...poolModes(topology.mode),
        natOutgoing: true,
      },
    },
    {
      apiVersion: API_VERSION,
      kind: 'BGPConfiguration',
      metadata: { name: 'default' },
      spec: { asNumber: AS_NUMBER, nodeToNodeMeshEnabled: true },
    },
  );
}

export function nodesManifest(topology: Topology): string {
  return document(
    ...topology.nodes.map(({ name, address }) => ({
      apiVersion: API_VERSION,
      kind: 'Node',
      metadata: { name },
      spec: { bgp: { ipv4Address: `${address}/24` } },
    })),
  );
}

/** Deny everything to the pods that `selector` names, but TCP and ping from those that `from` names. */
export function isolationPolicy(name: string, selector: string, from: string): string {
  return document({
    apiVersion: API_VERSION,
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'default' },
    spec: {
      selector,
      types: ['Ingress'],
      ingress: [
        {
          action: 'Allow',
          protocol: 'TCP',
          source: { selector: from },
          destination: { ports: [80] },
        },
        { action: 'Allow', protocol: 'ICMP', source: { selector: from } },
      ],
    },
  });
}

function document(...resources: readonly object[]): string {
  return resources.map((resource) => stringify(resource)).join('---\n');
}
