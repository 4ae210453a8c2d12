// Small arbitrary clusters: few names, labels and addresses, so that what is generated often meets.
import {
  type AnyResource,
  type FelixConfiguration,
  type GlobalNetworkPolicy,
  type GlobalNetworkSet,
  type HostEndpoint,
  type KubernetesEndpointSlice,
  type NetworkPolicy,
  type NetworkSet,
  type Profile,
  parseResource,
  type Tier,
  ValidationError,
  type WorkloadEndpoint,
} from '@calico/model';
import * as fc from 'fast-check';
import type { PolicyInputs } from '../../../ports.ts';
import type { Direction } from '../meaning/ordering.ts';
import {
  namespaceSelector,
  nets,
  nets6,
  often,
  PLAIN,
  ruleOf,
  selector,
  similarRules,
  some,
} from './random_rules.ts';

const API_VERSION = 'projectcalico.org/v3';
const NAMESPACES = ['red', 'blue'] as const;
const ENDPOINTS = 5;

const namespace = fc.constantFrom(...NAMESPACES);
const labels = fc.record(
  { role: often(fc.constantFrom('a', 'b')), env: often(fc.constantFrom('x', 'y')) },
  PLAIN,
);
/** Leaves undefined fields out, as JSON does; what validation refuses becomes undefined. */
function valid(resource: unknown): AnyResource | undefined {
  try {
    return parseResource(JSON.parse(JSON.stringify(resource)));
  } catch (cause) {
    if (cause instanceof ValidationError) return undefined;
    throw cause;
  }
}

const resources = <T extends AnyResource>(
  one: fc.Arbitrary<unknown>,
  maxLength: number,
): fc.Arbitrary<T[]> =>
  fc
    .array(
      one
        .map((resource) => valid(resource) as T | undefined)
        .filter((resource) => resource !== undefined),
      { maxLength },
    )
    .map((all) => [
      ...new Map(
        all.map((resource) => [
          `${resource.metadata.namespace}/${resource.metadata.name}`,
          resource,
        ]),
      ).values(),
    ]);

// One rule that validation refuses would take its whole policy away.
const isValid = (one: unknown, direction: Direction = 'ingress'): boolean =>
  valid({
    apiVersion: API_VERSION,
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'p' },
    spec: { [direction]: [one] },
  }) !== undefined;
const rulesOf = (direction: Direction) => {
  const one = ruleOf(direction).filter((each) => isValid(each, direction));
  return fc.oneof(
    { weight: 3, arbitrary: fc.array(one, { minLength: 1, maxLength: 4 }) },
    { weight: 2, arbitrary: similarRules.map((all) => all.filter((each) => isValid(each))) },
  );
};
const name = fc.constantFrom('p0', 'p1', 'p2');
const policySpec = {
  tier: fc.constantFrom('default', 'default', 'default', 'first', 'first', 'nowhere'),
  order: some(fc.constantFrom(1, 2)),
  selector: fc.oneof(fc.constant('all()'), selector),
  serviceAccountSelector: some(fc.constant('has(team)')),
  ingress: often(rulesOf('ingress')),
  egress: often(rulesOf('egress')),
};
/** How policies for host endpoints differ from others. */
const hostPolicy = fc.constantFrom(
  {},
  {},
  { applyOnForward: true },
  { applyOnForward: true, doNotTrack: true },
  { applyOnForward: true, preDNAT: true },
);
const metadata = fc.record({ name, namespace }, PLAIN);
const networkPolicies = resources<NetworkPolicy>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('NetworkPolicy'),
    metadata,
    spec: fc.record(policySpec, PLAIN),
  }),
  3,
);
const globalNetworkPolicies = resources<GlobalNetworkPolicy>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('GlobalNetworkPolicy'),
    metadata: fc.record({ name }, PLAIN),
    spec: fc
      .tuple(
        fc.record({ ...policySpec, namespaceSelector: some(namespaceSelector) }, PLAIN),
        hostPolicy,
      )
      .map(([policy, flags]) => ({ ...policy, ...flags })),
  }),
  2,
);
const tiers = resources<Tier>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('Tier'),
    metadata: fc.record({ name: fc.constantFrom('first', 'default') }, PLAIN),
    spec: fc.record(
      {
        order: some(fc.constantFrom(1, 2_000_000)),
        defaultAction: fc.constantFrom('Deny', 'Pass'),
      },
      PLAIN,
    ),
  }),
  2,
);
const profiles = resources<Profile>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('Profile'),
    metadata: fc.record({ name: fc.constantFrom('kns.red', 'ksa.red.web', 'own') }, PLAIN),
    spec: fc.record(
      {
        ingress: some(rulesOf('ingress')),
        egress: some(rulesOf('egress')),
        labelsToApply: some(
          fc.constantFrom(
            { role: 'a' },
            { 'pcsa.team': 't' },
            { 'pcns.projectcalico.org/name': 'red' },
          ),
        ),
      },
      PLAIN,
    ),
  }),
  3,
);
/** Of many lengths, and in each other. */
const netsOfSets = fc.uniqueArray(
  fc.constantFrom(
    '10.65.0.1',
    '10.65.0.2/31',
    '10.65.0.4/30',
    '10.65.0.4/31',
    '10.65.0.0/23',
    '10.65.0.0/22',
    '10.64.0.0/15',
    '10.64.0.0/12',
    'fd00:65::2',
    'fd00:65::2/127',
    'fd00:65::/60',
    'fd00:64::/30',
    'fd00::/12',
  ),
  { minLength: 1, maxLength: 5 },
);
const setSpec = fc.record({ nets: fc.oneof(nets, nets6, netsOfSets) }, PLAIN);
const networkSets = resources<NetworkSet>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('NetworkSet'),
    metadata: fc.record({ name, namespace, labels }, PLAIN),
    spec: setSpec,
  }),
  2,
);
const globalNetworkSets = resources<GlobalNetworkSet>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('GlobalNetworkSet'),
    metadata: fc.record({ name, labels }, PLAIN),
    spec: setSpec,
  }),
  2,
);

const endpointSlices = resources<KubernetesEndpointSlice>(
  fc
    .record({
      metadata: fc.record({ name, namespace }, PLAIN),
      service: often(fc.constantFrom('web', 'dns')),
      hasIpv6: fc.boolean(),
      numbers: fc.uniqueArray(fc.nat(ENDPOINTS + 1), { maxLength: 3 }),
      ports: fc.uniqueArray(
        fc.constantFrom(
          { port: 80 },
          { name: 'other', port: 443 },
          { protocol: 'UDP', port: 53 },
          { protocol: 'SCTP', port: 80 },
          { name: 'all' },
        ),
        { maxLength: 3 },
      ),
    })
    .map(({ metadata: own, service, hasIpv6, numbers, ports }) => ({
      apiVersion: API_VERSION,
      kind: 'KubernetesEndpointSlice',
      metadata: { ...own, labels: service && { 'kubernetes.io/service-name': service } },
      spec: {
        addressType: hasIpv6 ? 'IPv6' : 'IPv4',
        endpoints: numbers.map((n) => ({
          // Not as it is written elsewhere.
          addresses: [hasIpv6 ? `FD00:65:0::${n}` : `10.65.0.${n}`],
        })),
        ports,
      },
    })),
  3,
);

const endpoint = (index: number): fc.Arbitrary<WorkloadEndpoint> =>
  fc
    .record({
      namespace,
      labels,
      serviceAccount: some(fc.constant('web')),
      profiles: fc.constantFrom(
        ...Array.from({ length: 6 }, () => 'namespace'),
        'none',
        'own',
        'missing',
      ),
      ports: some(
        fc.constantFrom(
          [{ name: 'http', protocol: 'TCP', port: 80 }],
          [
            { name: 'http', protocol: 'TCP', port: 443 },
            { name: 'dns', protocol: 'UDP', port: 53 },
            { name: 'dns', protocol: 'TCP', port: 80 },
          ],
        ),
      ),
      hasIpv6: fc.constantFrom(true, true, true, false),
    })
    .map(
      ({
        namespace: where,
        labels: own,
        serviceAccount,
        profiles: choice,
        ports: named,
        hasIpv6,
      }) => {
        const account = serviceAccount === undefined ? [] : [`ksa.${where}.${serviceAccount}`];
        const lists: Readonly<Record<string, readonly string[]>> = {
          namespace: [`kns.${where}`, ...account],
          none: [],
          own: ['own', `kns.${where}`],
          missing: ['missing', `kns.${where}`],
        };
        const resource = valid({
          apiVersion: API_VERSION,
          kind: 'WorkloadEndpoint',
          metadata: { name: `node-k8s-pod${index}-eth0`, namespace: where, labels: own },
          spec: {
            orchestrator: 'k8s',
            node: index <= 3 ? 'node' : 'other',
            pod: `pod${index}`,
            endpoint: 'eth0',
            serviceAccountName: serviceAccount,
            ipNetworks: [`10.65.0.${index}/32`, ...(hasIpv6 ? [`fd00:65::${index}/128`] : [])],
            interfaceName: `cali${index}`,
            profiles: lists[choice],
            ports: named,
          },
        });
        if (resource?.kind !== 'WorkloadEndpoint')
          throw new TypeError('Cannot generate an endpoint');
        return resource;
      },
    );

/** Of this node: eth0 has 192.0.2.1, eth1 has 192.0.2.2. */
const hostEndpoints = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: resources<HostEndpoint>(
      fc.record({
        apiVersion: fc.constant(API_VERSION),
        kind: fc.constant('HostEndpoint'),
        metadata: fc.record({ name: fc.constantFrom('h0', 'h1', 'h2'), labels }, PLAIN),
        spec: fc
          .tuple(
            fc.constantFrom(
              { interfaceName: 'eth0' },
              { interfaceName: 'eth1' },
              { interfaceName: '*' },
              { expectedIPs: ['192.0.2.1'] },
              { interfaceName: 'eth0', expectedIPs: ['192.0.2.1'] },
            ),
            fc.constantFrom(['projectcalico-default-allow'], ['own'], []),
          )
          .map(([where, own]) => ({ node: 'node', profiles: own, ...where })),
      }),
      3,
    ),
  },
);

/** So many nets of about one length are blocks; undefined: as many as in real clusters, so none here. */
export const fewestBlocks = fc.constantFrom(undefined, 1, 2);

/** Endpoints 1 to 3 are on this node, named "node", as interfaces cali1 to cali3; 4 and 5 are elsewhere. */
export const worlds: fc.Arbitrary<PolicyInputs> = fc
  .record({
    endpoints: fc.tuple(...Array.from({ length: ENDPOINTS }, (_, index) => endpoint(index + 1))),
    networkPolicies,
    globalNetworkPolicies,
    tiers,
    profiles,
    networkSets,
    globalNetworkSets,
    hostEndpoints,
    endpointSlices,
    felix: fc.record(
      {
        defaultEndpointToHostAction: some(fc.constantFrom('Accept', 'Return')),
        connections: some(fc.constant('Keep')),
      },
      PLAIN,
    ),
  })
  .map(({ endpoints, felix, ...rest }) => ({
    node: 'node',
    inSync: true,
    localEndpoints: endpoints.filter(({ spec }) => spec.node === 'node'),
    workloadEndpoints: endpoints,
    ipPools: [],
    nodes: [],
    hostInterfaces: [
      { name: 'eth0', addresses: ['192.0.2.1'] },
      { name: 'eth1', addresses: ['192.0.2.2'] },
    ],
    felixConfiguration: valid({
      apiVersion: API_VERSION,
      kind: 'FelixConfiguration',
      metadata: { name: 'default' },
      spec: felix,
    }) as FelixConfiguration,
    ...rest,
  }));

/** Worlds in which one rule decides what comes in to every endpoint. */
export const ruleWorlds: fc.Arbitrary<PolicyInputs> = fc
  .tuple(worlds, ruleOf('ingress'), fc.constantFrom('red', undefined))
  .map(([world, one, where]) => {
    const policy = valid({
      apiVersion: API_VERSION,
      kind: where === undefined ? 'GlobalNetworkPolicy' : 'NetworkPolicy',
      metadata: { name: 'p', namespace: where },
      spec: { ingress: [one] },
    });
    return {
      ...world,
      networkPolicies: policy?.kind === 'NetworkPolicy' ? [policy] : [],
      globalNetworkPolicies: policy?.kind === 'GlobalNetworkPolicy' ? [policy] : [],
      profiles: [],
    };
  })
  .filter((world) => world.networkPolicies.length + world.globalNetworkPolicies.length > 0);

/** As `worlds`, where one policy with many rules that are alike decides. */
export const lookupWorlds: fc.Arbitrary<PolicyInputs> = fc
  .tuple(worlds, similarRules, similarRules)
  .map(([world, ingress, egress]) => {
    const policy = valid({
      apiVersion: API_VERSION,
      kind: 'GlobalNetworkPolicy',
      metadata: { name: 'p' },
      spec: {
        ingress: ingress.filter((one) => isValid(one)),
        egress: [...egress.filter((one) => isValid(one)), { action: 'Allow' }],
        types: ['Ingress', 'Egress'],
      },
    });
    return {
      ...world,
      networkPolicies: [],
      globalNetworkPolicies: policy?.kind === 'GlobalNetworkPolicy' ? [policy] : [],
      tiers: [],
    };
  });
