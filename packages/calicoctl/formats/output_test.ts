import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, type Kind } from '@calico/model';
import { CommandError } from '../command_error.ts';
import { formatListings, type Listing, parseOutputFormat } from './output.ts';
import { COLUMNS, type ResourceDocument } from './resource_columns.ts';

function listing(kind: Kind, ...resources: Partial<ResourceDocument>[]): Listing {
  const all = resources.map((each) => ({ metadata: { name: 'x' }, ...each, kind }));
  return { kind, resources: all, isSingle: false, revision: '7' };
}

function table(format: string, each: Listing, withNamespace = false): string[] {
  const options = { withNamespace, defaultAsn: '64512' };
  const lines = formatListings([each], parseOutputFormat(format), options).split('\n');
  assert.deepEqual(lines.slice(-2), ['', ''], 'an empty line ends the table');
  return lines.slice(0, -2).map((line) => line.trimEnd().replaceAll(/ {3,}/g, ' | '));
}

const pool = listing('IPPool', {
  metadata: { name: 'default-ipv4-ippool' },
  spec: { cidr: '10.244.0.0/16', ipipMode: 'Always', natOutgoing: true },
});

test('pools', () => {
  assert.deepEqual(table('ps', pool), [
    'NAME | CIDR | SELECTOR',
    'default-ipv4-ippool | 10.244.0.0/16 | all()',
  ]);
  assert.deepEqual(table('wide', pool), [
    'NAME | CIDR | NAT | IPIPMODE | VXLANMODE | DISABLED | DISABLEBGPEXPORT | SELECTOR | ASSIGNMENTMODE',
    'default-ipv4-ippool | 10.244.0.0/16 | true | Always | Never | false | false | all() | Automatic',
  ]);
});

test('nodes show an inherited AS number in parentheses', () => {
  const nodes = listing(
    'Node',
    { metadata: { name: 'a' }, spec: { bgp: { ipv4Address: '192.168.80.100/24' } } },
    { metadata: { name: 'b' }, spec: { bgp: { asNumber: 65000, ipv6Address: 'fd00::1/64' } } },
    { metadata: { name: 'c' }, spec: {} },
  );
  assert.deepEqual(table('ps', nodes), ['NAME', 'a', 'b', 'c']);
  assert.equal(
    formatListings([nodes], { kind: 'wide' }, { withNamespace: false, defaultAsn: '64512' }),
    [
      'NAME   ASN       IPV4                IPV6         ',
      'a      (64512)   192.168.80.100/24                ',
      'b      65000                         fd00::1/64   ',
      'c                                                 ',
      '',
      '',
    ].join('\n'),
  );
});

test('workload endpoints', () => {
  const endpoints = listing('WorkloadEndpoint', {
    metadata: { name: 'node--1-k8s-p-eth0', namespace: 'default' },
    spec: {
      node: 'node-1',
      pod: 'p',
      ipNetworks: ['10.244.58.193/32', 'fd00::1/128'],
      interfaceName: 'cali918b33f2bbe',
      profiles: ['kns.default', 'ksa.default.default'],
      ipNATs: [{ internalIP: '10.244.58.193', externalIP: '192.0.2.1' }],
    },
  });
  assert.deepEqual(table('ps', endpoints), [
    'WORKLOAD | NODE | NETWORKS | INTERFACE',
    'p | node-1 | 10.244.58.193/32,fd00::1/128 | cali918b33f2bbe',
  ]);
  assert.deepEqual(table('wide', endpoints, true), [
    'NAMESPACE | NAME | WORKLOAD | NODE | NETWORKS | INTERFACE | PROFILES | NATS',
    'default | node--1-k8s-p-eth0 | p | node-1 | 10.244.58.193/32,fd00::1/128 | cali918b33f2bbe | kns.default,ksa.default.default | 192.0.2.1',
  ]);
});

test('other kinds', () => {
  for (const [kind, spec, format, ...lines] of [
    [
      'BGPPeer',
      { peerIP: '192.0.2.1', asNumber: 1 },
      'ps',
      'NAME | PEERIP | NODE | ASN',
      'x | 192.0.2.1 | (global) | 1',
    ],
    [
      'BGPPeer',
      { peerIP: '', peerSelector: 'has(rr)', node: 'a' },
      'ps',
      'NAME | PEERIP | NODE | ASN',
      'x | has(rr) | a | 0',
    ],
    [
      'BGPPeer',
      { peerInterface: 'eth1', remoteAS: 'External', nodeSelector: 'rack == "a"' },
      'ps',
      'NAME | PEERIP | NODE | ASN',
      'x | eth1 | rack == "a" | External',
    ],
    [
      'BGPPeer',
      { peerPrefix: '192.0.2.0/24', asNumber: 64513 },
      'ps',
      'NAME | PEERIP | NODE | ASN',
      'x | 192.0.2.0/24 | (global) | 64513',
    ],
    [
      'BGPPeer',
      { localWorkloadSelector: 'app == "router"', asNumber: 64513 },
      'ps',
      'NAME | PEERIP | NODE | ASN',
      'x | app == "router" | (global) | 64513',
    ],
    [
      'BGPConfiguration',
      { asNumber: 64512, nodeToNodeMeshEnabled: true },
      'ps',
      'NAME | LOGSEVERITY | MESHENABLED | ASNUMBER',
      'x | - | true | 64512',
    ],
    [
      'NetworkPolicy',
      { order: 10.5, selector: 'all()' },
      'wide',
      'NAME | TIER | ORDER | SELECTOR',
      'x | default | 10.5 | all()',
    ],
    ['Tier', { order: 100 }, 'ps', 'NAME | ORDER', 'x | 100'],
    [
      'BGPFilter',
      { exportV4: [{}, {}] },
      'ps',
      'NAME | NUMEXPORTV4 | NUMIMPORTV4 | NUMEXPORTV6 | NUMIMPORTV6',
      'x | 2 | 0 | 0 | 0',
    ],
    ['Profile', { labelsToApply: { a: 'b', c: '' } }, 'wide', 'NAME | LABELS', 'x | a=b,c='],
    ['HostEndpoint', { node: 'n', interfaceName: '*' }, 'ps', 'NAME | NODE', 'x | n'],
  ] as const) {
    assert.deepEqual(table(format, listing(kind, { spec })), lines);
  }
});

test('services show the addresses that they have, and whom these reach', () => {
  const services = listing(
    'KubernetesService',
    {
      spec: {
        type: 'LoadBalancer',
        clusterIPs: ['10.96.0.7', 'fd00:96::7'],
        externalIPs: ['203.0.113.9'],
        externalTrafficPolicy: 'Local',
        selector: { app: 'web' },
      },
      status: { loadBalancer: { ingress: [{ ip: '' }, { ip: '192.0.2.7' }, { hostname: 'lb' }] } },
    },
    { metadata: { name: 'y' }, spec: { type: 'ClusterIP', clusterIP: 'None' } },
  );
  assert.deepEqual(table('wide', services), [
    'NAME | TYPE | CLUSTERIPS | EXTERNALIPS | EXTERNALTRAFFICPOLICY | SELECTOR',
    'x | LoadBalancer | 10.96.0.7,fd00:96::7 | 192.0.2.7,203.0.113.9 | Local | app=web',
    'y | ClusterIP | None | Cluster',
  ]);
});

test('every kind has columns and survives an empty spec', () => {
  for (const kind of Object.keys(KINDS) as Kind[]) {
    assert.ok(COLUMNS[kind].ps.length > 0);
    assert.equal(table('wide', listing(kind, {})).length, 2, kind);
  }
});

test('custom columns come in the order given', () => {
  assert.deepEqual(table('custom-columns=cidr,NAME', pool), [
    'CIDR | NAME',
    '10.244.0.0/16 | default-ipv4-ippool',
  ]);
});

test('yaml and json: one object alone, else a list; fields in order of their names', () => {
  const options = { withNamespace: false, defaultAsn: '' };
  const tier = listing('Tier', { apiVersion: 'projectcalico.org/v3', spec: { order: 1 } });
  const single = { ...tier, isSingle: true };
  const dated = listing('Tier', {
    apiVersion: 'projectcalico.org/v3',
    metadata: { name: 'x', creationTimestamp: '2026-11-22T22:05:38Z' },
    spec: { order: 1 },
  });
  assert.equal(
    formatListings([single], { kind: 'yaml' }, options),
    'apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata:\n  name: x\nspec:\n  order: 1\n',
  );
  assert.equal(
    formatListings([dated], { kind: 'yaml' }, options),
    `apiVersion: projectcalico.org/v3
items:
- apiVersion: projectcalico.org/v3
  kind: Tier
  metadata:
    creationTimestamp: "2026-11-22T22:05:38Z"
    name: x
  spec:
    order: 1
kind: TierList
metadata:
  resourceVersion: "7"
`,
  );
  assert.equal(
    formatListings([single], { kind: 'json' }, options),
    `{
  "apiVersion": "projectcalico.org/v3",
  "kind": "Tier",
  "metadata": {
    "name": "x"
  },
  "spec": {
    "order": 1
  }
}
`,
  );
  const both = JSON.parse(formatListings([single, single], { kind: 'json' }, options)) as unknown;
  assert.ok(Array.isArray(both) && both.length === 2);
  assert.equal(formatListings([tier], { kind: 'name' }, options), 'tier/x\n');
});

test('parseOutputFormat() says what it takes', () => {
  assert.throws(() => parseOutputFormat('xml'), CommandError);
});
