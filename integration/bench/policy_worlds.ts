// Clusters of the sizes for which Calico publishes what it is built for.

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
  /** Nets that every policy allows, in network sets of SET_SIZE with one label. */
  readonly nets?: { readonly count: number; readonly length: 30 | 32 };
};

/** A document of more than a million bytes is not relayed: a set of 100,000 members is many resources. */
const SET_SIZE = 1_000;

export const WORLDS: readonly World[] = [
  { name: 'small', endpoints: 200, local: 20, namespaces: 20, policies: 1 },
  { name: 'envelope', endpoints: 100_000, local: 200, namespaces: 1_000, policies: 10 },
  { name: 'isolated-1k', endpoints: 1_000, local: 200, namespaces: 1_000, policies: 1 },
  { name: 'isolated-10k', endpoints: 10_000, local: 200, namespaces: 10_000, policies: 1 },
  { name: 'isolated-100k', endpoints: 100_000, local: 200, namespaces: 100_000, policies: 1 },
  ...([32, 30] as const).map((length) => ({
    name: length === 32 ? 'addresses-100k' : 'nets-100k',
    endpoints: 1_000,
    local: 200,
    namespaces: 10,
    policies: 1,
    nets: { count: 100_000, length },
  })),
  { name: 'local-10k', endpoints: 10_000, local: 10_000, namespaces: 100, policies: 10 },
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
        ...(world.nets ? [{ action: 'Allow', source: wide }] : []),
      ],
    },
  });
}

/** Number `index` of a world's sets; `turn` changes one member. None of the nets can be joined with another. */
export function networkSet({ nets }: World, index: number, turn = 0): AnyResource {
  const { length = 32 } = nets ?? {};
  const step = 2 * 2 ** (32 - length);
  const first = index * SET_SIZE;
  const members = Array.from({ length: SET_SIZE }, (_, number) => {
    const n = step * (number === 0 && turn > 0 ? 200_000 + turn : first + number);
    return `100.${64 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}/${length}`;
  });
  return valid({
    kind: 'GlobalNetworkSet',
    metadata: { name: `wide-${index}`, labels: { kind: 'wide' } },
    spec: { nets: index === 0 ? ['203.0.113.0/24', ...members] : members },
  });
}

export function* resources(world: World): Iterable<AnyResource> {
  yield valid({
    kind: 'Node',
    metadata: { name: NODE },
    spec: { bgp: { ipv4Address: '192.0.2.1/24' } },
  });
  for (let index = 0; index < world.endpoints; index++) yield endpoint(world, index);
  for (let namespace = 0; namespace < world.namespaces; namespace++) {
    for (let number = 0; number < world.policies; number++) yield policy(world, namespace, number);
  }
  for (let index = 0; index * SET_SIZE < (world.nets?.count ?? 0); index++) {
    yield networkSet(world, index);
  }
}
