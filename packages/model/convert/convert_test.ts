import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetworkPolicy } from '../resources.ts';
import { ValidationError } from '../validation_error.ts';
import { convertDocument, isConvertible, reasonToPassOver } from './convert.ts';

const IS_POD = "projectcalico.org/orchestrator == 'k8s'";

function kubernetes(apiVersion: string, kind: string, metadata: object, spec?: object) {
  return { apiVersion, kind, metadata, ...(spec === undefined ? {} : { spec }) };
}

const networkPolicy = (spec: object, metadata: object = { name: 'web', namespace: 'shop' }) =>
  kubernetes('networking.k8s.io/v1', 'NetworkPolicy', metadata, spec);

test('a NetworkPolicy keeps its meaning: peers, ports by protocol, types', () => {
  const converted = convertDocument(
    networkPolicy({
      podSelector: {
        matchLabels: { role: 'web', app: 'shop' },
        matchExpressions: [
          { key: 'tier', operator: 'In', values: ['a', 'b'] },
          { key: 'env', operator: 'NotIn', values: ['test'] },
          { key: 'old', operator: 'DoesNotExist' },
        ],
      },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: { role: 'client' } } },
            { namespaceSelector: {}, podSelector: {} },
            { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
          ],
          ports: [
            { port: 80 },
            { protocol: 'TCP', port: 81 },
            { port: 'metrics' },
            { port: 8000, endPort: 8100 },
            { protocol: 'UDP' },
          ],
        },
      ],
    }),
  );
  const peers = [
    { selector: `${IS_POD} && role == 'client'` },
    { selector: IS_POD, namespaceSelector: 'all()' },
    { nets: ['10.0.0.0/8'], notNets: ['10.1.0.0/16'] },
  ];
  assert.deepEqual(converted, {
    apiVersion: 'projectcalico.org/v3',
    kind: 'NetworkPolicy',
    metadata: { name: 'knp.default.web', namespace: 'shop' },
    spec: {
      tier: 'default',
      order: 1000,
      selector: `${IS_POD} && app == 'shop' && role == 'web' && tier in { 'a', 'b' } && env not in { 'test' } && ! has(old)`,
      types: ['Ingress', 'Egress'],
      ingress: [
        ...peers.map((source) => ({
          action: 'Allow',
          protocol: 'TCP',
          source,
          destination: { ports: ['80:81', '8000:8100', 'metrics'] },
        })),
        ...peers.map((source) => ({ action: 'Allow', protocol: 'UDP', source, destination: {} })),
      ],
    },
  });
});

test('a NetworkPolicy without types decides what comes in, and what goes out when it says so', () => {
  const typesOf = (spec: object) => {
    const { spec: found } = convertDocument(networkPolicy(spec)) as NetworkPolicy;
    return found.types;
  };
  assert.deepEqual(typesOf({ podSelector: {} }), ['Ingress']);
  assert.deepEqual(typesOf({ podSelector: {}, egress: [{}] }), ['Ingress', 'Egress']);
  assert.deepEqual(typesOf({ podSelector: {}, policyTypes: ['Egress'] }), ['Egress']);
  const { metadata } = convertDocument(networkPolicy({}, { name: 'x' }), 'own');
  assert.deepEqual(metadata, { name: 'knp.default.x', namespace: 'own' });
});

test('policies of the whole cluster go into the tiers before and after all others', () => {
  const rule = {
    name: 'dns',
    action: 'Pass',
    to: [
      { networks: ['10.0.0.0/8', 'fd00::/8'] },
      { pods: { namespaceSelector: { matchLabels: { a: 'b' } }, podSelector: {} } },
    ],
    ports: [
      { portNumber: { protocol: 'UDP', port: 53 } },
      { portRange: { protocol: 'UDP', start: 1000, end: 2000 } },
    ],
  };
  const admin = kubernetes(
    'policy.networking.k8s.io/v1alpha1',
    'AdminNetworkPolicy',
    { name: 'a' },
    {
      priority: 30,
      subject: { namespaces: { matchLabels: { team: 'red' } } },
      egress: [rule],
    },
  );
  const ports = ['53', '1000:2000'].map((text) => (text === '53' ? 53 : text));
  const shared = {
    metadata: { annotations: { 'policy.networking.k8s.io/name': 'dns' } },
    action: 'Pass',
    protocol: 'UDP',
    source: {},
  };
  assert.deepEqual(convertDocument(admin), {
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'kanp.adminnetworkpolicy.a' },
    spec: {
      tier: 'kube-admin',
      order: 30,
      selector: IS_POD,
      namespaceSelector: "team == 'red'",
      types: ['Egress'],
      egress: [
        { ...shared, destination: { nets: ['10.0.0.0/8'], ports } },
        { ...shared, destination: { nets: ['fd00::/8'], ports } },
        {
          ...shared,
          destination: { selector: IS_POD, namespaceSelector: "a == 'b'", ports },
        },
      ],
    },
  });
  const baseline = convertDocument(
    kubernetes(
      'policy.networking.k8s.io/v1alpha1',
      'BaselineAdminNetworkPolicy',
      { name: 'default' },
      { subject: { namespaces: {} }, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] },
    ),
  );
  assert.equal(baseline.metadata.name, 'kbanp.baselineadminnetworkpolicy.default');
  assert.deepEqual(baseline.spec, {
    tier: 'kube-baseline',
    order: 1000,
    selector: IS_POD,
    namespaceSelector: 'all()',
    types: ['Ingress'],
    ingress: [{ action: 'Deny', source: { namespaceSelector: 'all()' }, destination: {} }],
  });
});

test('a ClusterNetworkPolicy accepts by protocol and port', () => {
  const cluster = convertDocument(
    kubernetes(
      'policy.networking.k8s.io/v1alpha2',
      'ClusterNetworkPolicy',
      { name: 'c' },
      {
        tier: 'Admin',
        priority: 5,
        subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { role: 'db' } } } },
        ingress: [
          {
            action: 'Accept',
            from: [{ namespaces: {} }],
            protocols: [
              { tcp: { destinationPort: { number: 5432 } } },
              { tcp: { destinationPort: { range: { start: 6000, end: 6010 } } } },
              { sctp: {} },
              { destinationNamedPort: 'metrics' },
            ],
          },
        ],
      },
    ),
  );
  const source = { namespaceSelector: 'all()' };
  assert.equal(cluster.metadata.name, 'kcnp.kube-admin.c');
  assert.deepEqual(cluster.spec, {
    tier: 'kube-admin',
    order: 5,
    selector: `${IS_POD} && role == 'db'`,
    namespaceSelector: 'all()',
    types: ['Ingress'],
    ingress: [
      { action: 'Allow', source, destination: { ports: ['metrics'] } },
      { action: 'Allow', protocol: 'SCTP', source, destination: {} },
      { action: 'Allow', protocol: 'TCP', source, destination: { ports: [5432, '6000:6010'] } },
    ],
  });
});

test('namespaces and service accounts become profiles that lend their labels', () => {
  const namespace = kubernetes('v1', 'Namespace', { name: 'red', labels: { team: 'a' } });
  const account = kubernetes('v1', 'ServiceAccount', { name: 'sa', namespace: 'red' });
  assert.deepEqual(convertDocument(namespace), {
    apiVersion: 'projectcalico.org/v3',
    kind: 'Profile',
    metadata: { name: 'kns.red' },
    spec: {
      ingress: [{ action: 'Allow' }],
      egress: [{ action: 'Allow' }],
      labelsToApply: {
        'pcns.kubernetes.io/metadata.name': 'red',
        'pcns.team': 'a',
        'pcns.projectcalico.org/name': 'red',
      },
    },
  });
  const { metadata, spec } = convertDocument(account);
  assert.equal(metadata.name, 'ksa.red.sa');
  assert.deepEqual(spec, { labelsToApply: { 'pcsa.projectcalico.org/name': 'sa' } });
});

test('what has no counterpart is refused, with field and what would be accepted', () => {
  const nodes = kubernetes(
    'policy.networking.k8s.io/v1alpha1',
    'AdminNetworkPolicy',
    { name: 'a' },
    {
      priority: 1,
      subject: { namespaces: {} },
      egress: [{ action: 'Deny', to: [{ nodes: {} }] }],
    },
  );
  assert.throws(() => convertDocument(nodes), {
    name: 'ValidationError',
    message:
      'Cannot accept AdminNetworkPolicy "a": spec.egress[0].to[0].nodes: is not a known field',
  });
  const peer = networkPolicy({
    ingress: [{ from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }] }],
  });
  assert.throws(() => convertDocument(peer), /expected either ipBlock, or podSelector/u);
  const port = networkPolicy({ ingress: [{ ports: [{ port: 90, endPort: 80 }] }] });
  assert.throws(
    () => convertDocument(port),
    /spec.ingress\[0\].ports\[0\].endPort 80: expected at least 90/u,
  );
  assert.throws(() => convertDocument(kubernetes('v1', 'Pod', { name: 'p' })), ValidationError);
  assert.equal(isConvertible(kubernetes('v1', 'Pod', {})), false);
  assert.equal(isConvertible(kubernetes('projectcalico.org/v3', 'NetworkPolicy', {})), false);
  assert.equal(isConvertible(networkPolicy({})), true);
});

test('an EndpointSlice keeps its service, addresses and ports, where endpoints are and how they do', () => {
  const metadata = {
    name: 'web-x7k2p',
    namespace: 'shop',
    labels: { 'kubernetes.io/service-name': 'web' },
  };
  const converted = convertDocument({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata,
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.0.0.1'],
        conditions: { ready: false, serving: true, terminating: null },
        nodeName: 'n1',
        targetRef: { kind: 'Pod', name: 'web-1' },
        zone: 'z1',
      },
      { addresses: ['10.0.0.2'], conditions: {}, nodeName: null },
    ],
    ports: [{ name: '', protocol: 'UDP', port: 53, appProtocol: null }],
  });
  assert.equal(converted.kind, 'KubernetesEndpointSlice');
  assert.deepEqual(converted.metadata, metadata);
  assert.deepEqual(converted.spec, {
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.0.0.1'],
        nodeName: 'n1',
        conditions: { ready: false, serving: true },
      },
      { addresses: ['10.0.0.2'], conditions: {} },
    ],
    ports: [{ name: '', protocol: 'UDP', port: 53 }],
  });
});

test('an EndpointSlice of names, or of another family than it says, is refused', () => {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'a' },
  };
  const of = (addressType: string, address: string) => () =>
    convertDocument({ ...slice, addressType, endpoints: [{ addresses: [address] }] });
  assert.throws(of('FQDN', 'example.com'), /spec\.addressType/);
  assert.throws(of('IPv6', '10.0.0.1'), /expected an IPv6 address/);
});

const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' }, annotations: { a: 'b' } },
};

test('a Service keeps its addresses and its traffic policies, and nothing of other concerns', () => {
  const spec = {
    type: 'LoadBalancer',
    clusterIP: '10.96.0.7',
    clusterIPs: ['10.96.0.7', 'fd00:96::7'],
    externalIPs: ['203.0.113.9'],
    externalTrafficPolicy: 'Local',
    selector: { app: 'web' },
  };
  const others = {
    internalTrafficPolicy: 'Cluster',
    loadBalancerIP: 'whatever the cloud understands',
    ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 'http', nodePort: 30080 }],
    allocateLoadBalancerNodePorts: true,
    healthCheckNodePort: 31000,
    ipFamilies: ['IPv4', 'IPv6'],
    ipFamilyPolicy: 'PreferDualStack',
    sessionAffinity: 'None',
    trafficDistribution: null,
  };
  const loadBalancer = {
    ingress: [{ hostname: 'lb.example', ip: '' }, { ip: '198.51.100.7', ipMode: 'VIP' }, {}],
  };
  const converted = convertDocument({
    ...SERVICE,
    spec: { ...spec, ...others },
    status: { conditions: [], loadBalancer },
  });
  assert.equal(converted.kind, 'KubernetesService');
  assert.deepEqual(converted.metadata, { name: 'web', namespace: 'shop', labels: { app: 'web' } });
  assert.deepEqual(converted.spec, spec);
  assert.deepEqual(converted.status, { loadBalancer: { ingress: [{ ip: '198.51.100.7' }] } });
  const plain = convertDocument({ ...SERVICE, spec: { clusterIP: 'None' }, status: null });
  assert.deepEqual(plain.spec, { type: 'ClusterIP', clusterIP: 'None' });
  assert.equal(plain.status, undefined);
});

function convertService(spec: object, status: object = {}) {
  return () => convertDocument({ ...SERVICE, spec, status });
}

test('a Service may have as many external addresses as Kubernetes lets it have', () => {
  const externalIPs = Array.from({ length: 101 }, (_, index) => `203.0.113.${index}`);
  assert.deepEqual(convertDocument({ ...SERVICE, spec: { externalIPs } }).spec, {
    type: 'ClusterIP',
    externalIPs,
  });
});

test('members with null are absent, wherever they are', () => {
  const metadata = { name: 'web', namespace: 'shop', creationTimestamp: null, labels: null };
  const spec = { podSelector: { matchLabels: null }, ingress: null };
  const converted = convertDocument({ ...networkPolicy(spec, metadata), status: null });
  assert.deepEqual(converted.metadata, { name: 'knp.default.web', namespace: 'shop' });
  const service = convertDocument({ ...SERVICE, metadata, spec: { clusterIP: null } });
  assert.deepEqual(service.metadata, { name: 'web', namespace: 'shop' });
});

test('a slice of host names is passed over, and nothing else', () => {
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'FQDN' };
  assert.match(reasonToPassOver(slice) ?? '', /host names \(addressType "FQDN"\)/u);
  assert.equal(reasonToPassOver({ ...slice, addressType: 'IPv6' }), undefined);
  assert.equal(reasonToPassOver({ ...slice, kind: 'Service', apiVersion: 'v1' }), undefined);
});

test('a Service with what is no address or policy is refused by field', () => {
  assert.throws(convertService({ clusterIP: 'none' }), /spec\.clusterIP "none": .*or "None"/);
  assert.throws(
    convertService({ clusterIPs: ['10.0.0.1', '10.0.0'] }),
    /spec\.clusterIPs\[1\] "10\.0\.0"/,
  );
  assert.throws(
    convertService({ externalIPs: ['web.example'] }),
    /spec\.externalIPs\[0\] "web\.example"/,
  );
  assert.throws(convertService({ externalTrafficPolicy: 'Near' }), /spec\.externalTrafficPolicy/);
  assert.throws(
    convertService({}, { loadBalancer: { ingress: [{ ip: '10.0.0.0/24' }] } }),
    /status\.loadBalancer\.ingress\[0\]\.ip "10\.0\.0\.0\/24": (?!expected "")/,
  );
});
