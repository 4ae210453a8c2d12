// Clusters of the sizes for which Calico publishes what it is built for.

import { ResourceView } from '@calico/feed';
import { type AnyResource, API_VERSION, parseResource } from '@calico/model';

export const NODE = 'bench';

export type World = {
  readonly name: string;
  readonly endpoints: number;
  /** Of them on this node. */
  readonly local: number;
  readonly namespaces: number;
  /** In each namespace. */
  readonly policies: number;
  /** Nets of one global network set that every policy allows; 0: none. */
  readonly setMembers: number;
};

export const WORLDS: readonly World[] = [
  { name: 'small', endpoints: 200, local: 20, namespaces: 20, policies: 1, setMembers: 0 },
  {
    name: 'envelope',
    endpoints: 100_000,
    local: 200,
    namespaces: 1_000,
    policies: 10,
    setMembers: 0,
  },
  {
    name: 'isolated-1k',
    endpoints: 1_000,
    local: 200,
    namespaces: 1_000,
    policies: 1,
    setMembers: 0,
  },
  {
    name: 'isolated-10k',
    endpoints: 10_000,
    local: 200,
    namespaces: 10_000,
    policies: 1,
    setMembers: 0,
  },
  {
    name: 'isolated-100k',
    endpoints: 100_000,
    local: 200,
    namespaces: 100_000,
    policies: 1,
    setMembers: 0,
  },
  {
    name: 'set-100k',
    endpoints: 1_000,
    local: 200,
    namespaces: 10,
    policies: 1,
    setMembers: 100_000,
  },
  {
    name: 'local-10k',
    endpoints: 10_000,
    local: 10_000,
    namespaces: 100,
    policies: 10,
    setMembers: 0,
  },
];

const ROLES = ['web', 'api', 'db', 'cache', 'queue', 'batch', 'auth', 'mail', 'search', 'log'];

function valid(resource: object): AnyResource {
  return parseResource({ apiVersion: API_VERSION, ...resource });
}

/** Number `index` of the world; `role` as label. */
export function endpoint(
  world: World,
  index: number,
  role = ROLES[Math.floor(index / world.namespaces) % 10],
): AnyResource {
  const isLocal = index < world.local;
  const namespace = `ns${index % world.namespaces}`;
  const node = isLocal ? NODE : `node${index % 500}`;
  return valid({
    kind: 'WorkloadEndpoint',
    metadata: {
      name: `${node}-k8s-pod${index}-eth0`,
      namespace,
      labels: { role, app: `app${index % 100}` },
    },
    spec: {
      orchestrator: 'k8s',
      node,
      pod: `pod${index}`,
      endpoint: 'eth0',
      ipNetworks: [`10.${(index >> 16) + 64}.${(index >> 8) & 255}.${index & 255}/32`],
      interfaceName: `cali${index.toString(16)}`,
      profiles: [`kns.${namespace}`],
    },
  });
}

/** Policy `number` of a namespace: what has one role takes connections from another role, on a port. */
export function policy(world: World, namespace: number, number: number, port = 8000): AnyResource {
  const isAlone = world.policies === 1;
  const source = isAlone
    ? { selector: 'all()' }
    : { selector: `role == '${ROLES[(number + 1) % 10]}'` };
  const wide = { selector: "kind == 'wide'", namespaceSelector: 'global()' };
  return valid({
    kind: 'NetworkPolicy',
    metadata: { name: `policy${number}`, namespace: `ns${namespace}` },
    spec: {
      selector: isAlone ? 'all()' : `role == '${ROLES[number % 10]}'`,
      types: ['Ingress'],
      ingress: [
        { action: 'Allow', protocol: 'TCP', source, destination: { ports: [port] } },
        ...(world.setMembers > 0 ? [{ action: 'Allow', source: wide }] : []),
      ],
    },
  });
}

/** Every second address, so that none can be joined. */
export function networkSet(members: number, first = 0): AnyResource {
  const nets = Array.from({ length: members }, (_, index) => {
    const n = 2 * (index === 0 ? first : index);
    return `100.${64 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}/32`;
  });
  return valid({
    kind: 'GlobalNetworkSet',
    metadata: { name: 'wide', labels: { kind: 'wide' } },
    spec: { nets: ['203.0.113.0/24', ...nets] },
  });
}

export function put(view: ResourceView, resource: AnyResource): void {
  view.apply({ kind: 'put', resource, revision: 1n });
}

export function snapshot(world: World): ResourceView {
  const view = new ResourceView();
  view.apply({ kind: 'snapshot-start', source: 'nats' });
  for (let index = 0; index < world.endpoints; index++) put(view, endpoint(world, index));
  for (let namespace = 0; namespace < world.namespaces; namespace++) {
    for (let number = 0; number < world.policies; number++)
      put(view, policy(world, namespace, number));
  }
  if (world.setMembers > 0) put(view, networkSet(world.setMembers));
  view.apply({ kind: 'in-sync', revision: 1n });
  return view;
}
