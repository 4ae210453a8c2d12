// Arbitrary endpoints and sets, which the selectors of rules find.
import type {
  GlobalNetworkSet,
  HostEndpoint,
  KubernetesEndpointSlice,
  NetworkSet,
  WorkloadEndpoint,
} from '@calico/model';
import * as fc from 'fast-check';
import { API_VERSION, labels, name, namespace, resources, valid } from './resource.ts';
import { nets, nets6, often, PLAIN, some } from './rules.ts';

const ENDPOINTS = 5;

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
export const networkSets = resources<NetworkSet>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('NetworkSet'),
    metadata: fc.record({ name, namespace, labels }, PLAIN),
    spec: setSpec,
  }),
  2,
);
export const globalNetworkSets = resources<GlobalNetworkSet>(
  fc.record({
    apiVersion: fc.constant(API_VERSION),
    kind: fc.constant('GlobalNetworkSet'),
    metadata: fc.record({ name, labels }, PLAIN),
    spec: setSpec,
  }),
  2,
);

export const endpointSlices = resources<KubernetesEndpointSlice>(
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
export const hostEndpoints = fc.oneof(
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

/** 1 to 3 are on this node, named "node", as interfaces cali1 to cali3; 4 and 5 are elsewhere. */
export const workloadEndpoints = fc.tuple(
  ...Array.from({ length: ENDPOINTS }, (_, index) => endpoint(index + 1)),
);
