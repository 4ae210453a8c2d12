import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { KINDS, type Kind, parseResource, parseStored, ValidationError } from './mod.ts';

function document(kind: string, spec: unknown, metadata: object = {}) {
  const namespace =
    Object.hasOwn(KINDS, kind) && KINDS[kind as Kind].namespaced ? 'default' : undefined;
  return {
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name: 'x', namespace, ...metadata },
    spec,
  };
}

function problemsOf(input: unknown): string[] {
  try {
    parseResource(input);
    return [];
  } catch (cause) {
    assert.ok(cause instanceof ValidationError, String(cause));
    return cause.problems.map(({ field, message }) => `${field}: ${message}`);
  }
}

const specOf = (kind: string, spec: unknown, metadata: object = {}) =>
  parseResource(document(kind, spec, metadata)).spec;

test('parseResource() fills defaults', () => {
  assert.deepEqual(specOf('IPPool', { cidr: '10.244.0.0/16' }), {
    cidr: '10.244.0.0/16',
    vxlanMode: 'Never',
    ipipMode: 'Never',
    natOutgoing: false,
    disabled: false,
    disableBGPExport: false,
    blockSize: 26,
    nodeSelector: 'all()',
    allowedUses: ['Workload', 'Tunnel'],
    assignmentMode: 'Automatic',
  });
  assert.partialDeepStrictEqual(specOf('IPPool', { cidr: 'fd00::/48' }), { blockSize: 122 });
  assert.partialDeepStrictEqual(specOf('BGPConfiguration', {}, { name: 'default' }), {
    asNumber: 64_512,
    nodeToNodeMeshEnabled: true,
    listenPort: 179,
  });
  assert.deepEqual(specOf('BGPConfiguration', {}, { name: 'node.a' }), {});
  assert.deepEqual(specOf('Tier', { order: 5 }), { order: 5, defaultAction: 'Deny' });
  assert.partialDeepStrictEqual(specOf('IPAMConfiguration', {}, { name: 'default' }), {
    strictAffinity: false,
    autoAllocateBlocks: true,
  });
});

test('parseResource() derives the types of a policy from its rules', () => {
  const rules = [{ action: 'Allow' }];
  for (const [spec, types] of [
    [{}, ['Ingress']],
    [{ ingress: rules }, ['Ingress']],
    [{ egress: rules }, ['Egress']],
    [{ ingress: rules, egress: rules }, ['Ingress', 'Egress']],
    [{ types: [], egress: rules }, ['Egress']],
    [{ types: ['Ingress', 'Egress'] }, ['Ingress', 'Egress']],
  ] as const) {
    assert.partialDeepStrictEqual(specOf('NetworkPolicy', spec), {
      types,
      tier: 'default',
      selector: 'all()',
    });
  }
});

test('parseResource() brings protocols and AS numbers to one form', () => {
  const spec = specOf('GlobalNetworkPolicy', {
    ingress: [
      { action: 'Deny', protocol: 'tcp' },
      { action: 'Deny', protocol: '47' },
    ],
  });
  assert.partialDeepStrictEqual(spec, { ingress: [{ protocol: 'TCP' }, { protocol: 47 }] });
  assert.partialDeepStrictEqual(specOf('BGPPeer', { peerIP: '192.0.2.1', asNumber: '1.10' }), {
    asNumber: 65_546,
  });
});

test('parseResource() reports every problem with its path', () => {
  assert.deepEqual(
    problemsOf({
      ...document('IPPool', {
        cidr: '10.244.0.1/16',
        ipipmode: 'Always',
        vxlanMode: 'always',
        natOutgoing: 'yes',
        nodeSelector: 'a ==',
      }),
      metadata: { name: 'Default' },
      extra: 1,
    }).map((problem) => problem.replace(/(spec\.nodeSelector: ).*/, '$1…')),
    [
      'extra: is not a known field; expected apiVersion, kind, metadata, spec, status',
      'metadata.name: expected at most 253 lower-case letters, digits, "-" and ".", starting and ending with a letter or digit',
      'spec.cidr: bits behind the length are set, expected "10.244.0.0/16"',
      'spec.vxlanMode: expected "Never", "Always" or "CrossSubnet"',
      'spec.natOutgoing: expected true or false',
      'spec.nodeSelector: …',
      'spec.ipipmode: is not a known field; did you mean "ipipMode"?',
    ],
  );
});

test('ValidationError names object, field, value and what would be accepted', () => {
  assert.throws(() => parseResource(document('IPPool', { cidr: '10.244.0.0/16', blockSize: 33 })), {
    name: 'ValidationError',
    message: 'Cannot accept IPPool "x": spec.blockSize 33: expected 20 to 32 in an IPv4 pool',
  });
  assert.throws(() => parseResource({ kind: 'NetworkPolicy', metadata: { name: 'p' } }), {
    message: [
      'Cannot accept NetworkPolicy "p": 2 problems',
      '  apiVersion: expected "projectcalico.org/v3"',
      '  metadata.namespace: is required: a NetworkPolicy lives in a namespace',
    ].join('\n'),
  });
});

const POOL = '10.244.0.0/16';
const REFUSED: readonly (readonly [
  kind: string,
  spec: object,
  problem: RegExp,
  metadata?: object,
])[] = [
  ['IPPool', {}, /spec\.cidr: is required/],
  ['IPPool', { cidr: '10.0.0.0' }, /spec\.cidr: expected a prefix with its length/],
  ['IPPool', { cidr: '169.254.1.0/24' }, /spec\.cidr: overlaps the link-local/],
  ['IPPool', { cidr: 'fe80::/64' }, /spec\.cidr: overlaps the link-local/],
  ['IPPool', { cidr: '10.0.0.0/27' }, /at least one block of size \/26/],
  ['IPPool', { cidr: 'fd00::/48', blockSize: 26 }, /expected 116 to 128 in an IPv6/],
  ['IPPool', { cidr: 'fd00::/48', ipipMode: 'Always' }, /ipipMode: expected "Never" in an IPv6/],
  ['IPPool', { cidr: POOL, ipipMode: 'Always', vxlanMode: 'Always' }, /one encapsulation/],
  ['IPPool', { cidr: POOL, namespaceSelector: 'all()' }, /expected none when allowedUses/],
  ['IPPool', { cidr: POOL, allowedUses: [] }, /allowedUses: expected at least 1 entries/],
  ['IPPool', { cidr: POOL, allowedUses: ['LoadBalancer', 'Tunnel'] }, /to stand alone/],
  ['IPPool', { cidr: POOL, allowedUses: ['LoadBalancer'], vxlanMode: 'Always' }, /load balancers/],
  ['IPPool', { cidr: POOL }, /metadata\.namespace: expected none/, { namespace: 'default' }],
  ['IPPool', { cidr: POOL }, /labels.*expected at most 63/, { labels: { a: 'ö' } }],
  ['Node', { bgp: { ipv4Address: 'fd00::1/64' } }, /ipv4Address: expected an IPv4 address/],
  ['Node', { bgp: { asNumber: 4_294_967_296 } }, /asNumber: expected an AS number/],
  ['Node', { bgp: { ipv4Adress: '10.0.0.1/24' } }, /did you mean "ipv4Address"/],
  ['BGPConfiguration', {}, /metadata\.name: expected "default", or "node\."/],
  ['BGPConfiguration', { listenPort: 0 }, /from 1 to 65535/, { name: 'default' }],
  [
    'BGPConfiguration',
    { nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: '90s' },
    /expected none when nodeToNodeMeshEnabled is false/,
    { name: 'default' },
  ],
  [
    'BGPConfiguration',
    { prefixAdvertisements: [{ cidr: POOL, communities: ['gold'] }] },
    /prefixAdvertisements\[0\]\.communities\[0\]: expected "aa:nn"/,
    { name: 'default' },
  ],
  [
    'BGPConfiguration',
    { aggregates: [{ cidr: '10.244.0.0/16' }, { cidr: '10.244.1.0/24' }] },
    /aggregates\[1\]\.cidr: expected none that overlaps with spec\.aggregates\[0\]/,
    { name: 'default' },
  ],
  ['BGPConfiguration', { ignoredInterfaces: ['*'] }, /not "\*" alone/, { name: 'default' }],
  [
    'BGPPeer',
    {},
    /exactly one of peerIP, peerSelector, peerPrefix, peerInterface or localWorkloadSelector, found 0/,
  ],
  ['BGPPeer', { peerInterface: 'eth1' }, /asNumber: is required except with peerSelector/],
  ['BGPPeer', { peerInterface: 'eth 1', asNumber: 1 }, /peerInterface: expected an interface/],
  [
    'BGPPeer',
    { peerInterface: 'eth1', peerIP: '192.0.2.1', asNumber: 1 },
    /exactly one of .*, found 2/,
  ],
  ['BGPPeer', { peerIP: '192.0.2.1' }, /asNumber: is required/],
  ['BGPPeer', { peerSelector: 'all()', asNumber: 1 }, /asNumber: expected none with peerSelector/],
  ['BGPPeer', { peerIP: '192.0.2.1:0', asNumber: 1 }, /peerIP: expected an address/],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', asNumber: 1, node: 'a', nodeSelector: 'has(b)' },
    /spec\.node is/,
  ],
  ['BGPPeer', { peerIP: '192.0.2.1', asNumber: 1, reachableBy: 'fd00::1' }, /same family/],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', asNumber: 1, holdTime: '2s' },
    /holdTime: expected "0s", or whole seconds from "3s" to "65535s"/,
  ],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', asNumber: 1, multihop: 2, ttlSecurity: 1 },
    /multihop: expected none with ttlSecurity/,
  ],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', asNumber: 1, localASPrepend: 'Both' },
    /localASPrepend: expected none without localASNumber/,
  ],
  ['BGPPeer', { peerPrefix: '192.0.2.0/24' }, /asNumber: is required except with peerSelector/],
  ['BGPPeer', { peerPrefix: '192.0.2.1/24', asNumber: 1 }, /peerPrefix/],
  [
    'BGPPeer',
    { peerPrefix: 'fe80::/64', asNumber: 1 },
    /peerPrefix: expected no range in fe80::\/10.* peerIP "fe80::1%eth1"/,
  ],
  ['BGPPeer', { peerIP: 'fe80::1', asNumber: 1 }, /with the interface of a link-local one/],
  ['BGPPeer', { peerIP: '2001:db8::1%eth1', asNumber: 1 }, /peerIP: expected an address/],
  ['BGPPeer', { peerIP: 'fe80::1%eth1%2', asNumber: 1 }, /peerIP: expected an address/],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', asNumber: 1, roleStrict: true },
    /roleStrict: expected none without role/,
  ],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', asNumber: 1, bfd: { minReceiveInterval: '5ms' } },
    /bfd\.minReceiveInterval: expected a duration from "10ms" to "60s"/,
  ],
  [
    'BGPConfiguration',
    { bmp: { collector: '192.0.2.1' } },
    /bmp\.collector: expected an address with a port/,
    { name: 'default' },
  ],
  [
    'BGPConfiguration',
    { sessionRecording: { peers: ['fe80::1'] } },
    /sessionRecording\.peers\[0\]: expected an address/,
    { name: 'default' },
  ],
  ['BGPConfiguration', { bfd: { detectMultiplier: 0 } }, /from 1 to 255/, { name: 'default' }],
  ['BGPFilter', { exportV4: [{ action: 'Accept', cidr: POOL }] }, /matchOperator: is required/],
  ['BGPFilter', { importV4: [{ action: 'Reject', operations: [{}] }] }, /unless the action/],
  [
    'BGPFilter',
    { importV4: [{ action: 'Accept', operations: [{}] }] },
    /importV4\[0\]\.operations\[0\]: expected exactly one of/,
  ],
  ['NetworkPolicy', { selector: 'a = b' }, /spec\.selector: .* at position/],
  ['NetworkPolicy', { types: ['Egress'], ingress: [{ action: 'Deny' }] }, /"Ingress" among them/],
  ['NetworkPolicy', { ingress: [{}] }, /ingress\[0\]\.action: is required: expected "Allow"/],
  ['NetworkPolicy', { ingress: [{ action: 'Deny', protocol: 'IPIP' }] }, /protocol: expected ICMP/],
  [
    'NetworkPolicy',
    { egress: [{ action: 'Deny', destination: { ports: [80] } }] },
    /egress\[0\]\.destination\.ports\[0\]: expected protocol TCP, UDP or SCTP/,
  ],
  [
    'NetworkPolicy',
    { egress: [{ action: 'Deny', protocol: 'TCP', destination: { ports: ['9:1'] } }] },
    /ports\[0\]: expected a port/,
  ],
  [
    'NetworkPolicy',
    { ingress: [{ action: 'Deny', source: { nets: ['10.0.0.0/8', 'fd00::/8'] } }] },
    /mixes IPv4 and IPv6/,
  ],
  ['NetworkPolicy', { ingress: [{ action: 'Deny', source: { notNets: ['0.0.0.0/0'] } }] }, /every/],
  [
    'NetworkPolicy',
    { ingress: [{ action: 'Deny', icmp: { type: 8 } }] },
    /only with protocol "ICMP/,
  ],
  [
    'NetworkPolicy',
    { ingress: [{ action: 'Deny', protocol: 'ICMP', icmp: { code: 1 } }] },
    /icmp\.code: expected a type/,
  ],
  [
    'NetworkPolicy',
    { ingress: [{ action: 'Deny', protocol: 'ICMPv6', ipVersion: 4 }] },
    /IPv6 rule/,
  ],
  ['GlobalNetworkPolicy', { doNotTrack: true }, /applyOnForward: expected true/],
  [
    'GlobalNetworkPolicy',
    { preDNAT: true, applyOnForward: true, egress: [{ action: 'Deny' }] },
    /preDNAT: expected false in a policy with egress/,
  ],
  ['Tier', {}, /metadata\.name: expected at most 63 .* without dots/, { name: 'a.b' }],
  ['WorkloadEndpoint', { orchestrator: 'k8s' }, /spec\.node: is required/],
  [
    'WorkloadEndpoint',
    { orchestrator: 'k8s', node: 'a', ipNetworks: ['10.0.0.0/24'] },
    /ipNetworks\[0\]: expected the prefix of one address/,
  ],
  ['HostEndpoint', { node: 'a' }, /interfaceName: is required unless expectedIPs/],
  [
    'IPAMConfiguration',
    { autoAllocateBlocks: false },
    /expected true when strictAffinity/,
    { name: 'default' },
  ],
  [
    'IPAMConfiguration',
    { maxBlocksPerHost: 4 },
    /expected 0 when strictAffinity/,
    { name: 'default' },
  ],
  [
    'IPAMConfiguration',
    { topologyLabel: 'a b' },
    /topologyLabel: expected the name of a label/,
    { name: 'default' },
  ],
  ['ClusterInformation', {}, /metadata\.name: expected "default"/],
  ['FelixConfiguration', { ipipMtu: 1 }, /did you mean "ipipMTU"/, { name: 'default' }],
  [
    'FelixConfiguration',
    { chainInsertMode: 'insert' },
    /"Insert" or "Append"/,
    { name: 'default' },
  ],
];

test('parseResource() refuses with a reason', () => {
  for (const [kind, spec, problem, metadata] of REFUSED) {
    assert.match(problemsOf(document(kind, spec, metadata)).join('\n'), problem);
  }
});

const ACCEPTED: readonly (readonly [kind: string, spec: object, metadata?: object])[] = [
  ['IPPool', { cidr: POOL, allowedUses: ['LoadBalancer'] }],
  ['IPPool', { cidr: POOL, blockSize: 32, vxlanMode: 'CrossSubnet', natOutgoing: true }],
  ['Node', { bgp: { ipv4Address: '192.168.80.100/24', ipv4IPIPTunnelAddr: '10.244.0.1' } }],
  ['BGPPeer', { peerIP: '[fd00::1]:1790', asNumber: 65_001, nodeSelector: "rack == 'a'" }],
  ['BGPPeer', { peerSelector: 'has(rr)', nodeSelector: 'all()' }],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', asNumber: 1, bfd: { enabled: true, minTransmitInterval: '1.5s' } },
  ],
  [
    'BGPPeer',
    {
      peerIP: '[fe80::1%eth1]:1790',
      asNumber: 1,
      addressFamilies: ['IPv4', 'IPv6'],
      addPath: 'Both',
      role: 'Peer',
      roleStrict: true,
      holdTime: '0s',
      delayOpen: '1m30s',
      longLivedRestartTime: '24h',
      maxPrefixes: { limit: 100, warnPercent: 80, action: 'Reset', restartAfter: '30m' },
    },
  ],
  ['BGPPeer', { peerPrefix: '2001:db8::/64', maxPeers: 4, asNumber: 1 }],
  ['BGPPeer', { peerInterface: 'eth1', asNumber: 65000 }],
  [
    'BGPConfiguration',
    { confederation: { identifier: 64512, members: [65001, 65002] } },
    { name: 'default' },
  ],
  [
    'BGPFilter',
    {
      exportV4: [
        {
          action: 'Accept',
          cidr: POOL,
          matchOperator: 'In',
          prefixLength: { min: 24, max: 32 },
          operations: [{ addCommunity: { value: '64512:1' } }, { setPriority: { value: 100 } }],
        },
      ],
    },
  ],
  [
    'NetworkPolicy',
    {
      order: 10.5,
      selector: "app == 'db'",
      ingress: [
        {
          action: 'Allow',
          protocol: 'TCP',
          source: { selector: "app == 'web'", namespaceSelector: 'all()' },
          destination: { ports: [5432, '6000:6010', 'postgres'] },
        },
        { action: 'Allow', protocol: 'ICMP', icmp: { type: 8, code: 0 } },
        { action: 'Log', source: { nets: ['10.0.0.1', '192.168.0.7/16'] } },
      ],
    },
  ],
  [
    'Profile',
    { ingress: [{ action: 'Allow' }], labelsToApply: { 'pcns.a': 'b' } },
    { name: 'kns.a' },
  ],
  [
    'WorkloadEndpoint',
    {
      orchestrator: 'k8s',
      node: 'node-1',
      pod: 'p',
      endpoint: 'eth0',
      ipNetworks: ['10.244.58.193/32', 'fd00::1/128'],
      interfaceName: 'cali918b33f2bbe',
      mac: 'EE:ee:ee:ee:ee:ee',
      profiles: ['kns.default'],
      ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
    },
    { name: 'node--1-k8s-p-eth0' },
  ],
  ['HostEndpoint', { node: 'a', interfaceName: '*' }],
  ['NetworkSet', { nets: ['10.0.0.0/8'] }],
  ['IPReservation', { reservedCIDRs: ['10.0.0.1', '10.0.1.0/24'] }],
  [
    'FelixConfiguration',
    { ipipMTU: 1300, bpfEnabled: false, logSeverityScreen: 'Debug' },
    { name: 'node.a' },
  ],
  ['KubeControllersConfiguration', { anything: { at: ['all'] } }, { name: 'default' }],
  ['CalicoNodeStatus', { node: 'a', updatePeriodSeconds: 10 }],
];

test('parseResource() accepts what upstream accepts', () => {
  for (const [kind, spec, metadata] of ACCEPTED) {
    assert.deepEqual(problemsOf(document(kind, spec, metadata)), [], kind);
  }
});

test('parsing what was parsed changes nothing', () => {
  for (const [kind, spec, metadata] of ACCEPTED) {
    const once = parseResource(document(kind, spec, metadata));
    assert.deepEqual(parseResource(once), once);
    assert.deepEqual(parseStored(once.kind, JSON.stringify(once)), once);
  }
});

test('members with null are absent', () => {
  const resource = parseResource({
    ...document('NetworkPolicy', { types: null, ingress: null }),
    status: null,
    metadata: { name: 'x', namespace: 'default', creationTimestamp: null },
  });
  assert.deepEqual(resource.metadata, { name: 'x', namespace: 'default' });
  assert.equal('status' in resource, false);
});

test('parseStored() keeps what it does not know and accepts contradictions', () => {
  const stored = {
    kind: 'IPPool',
    apiVersion: 'projectcalico.org/v3',
    metadata: { name: 'a', later: 1 },
    spec: { cidr: POOL, ipipMode: 'Always', vxlanMode: 'Always', later: { deep: [1] } },
  };
  const pool = parseStored('IPPool', JSON.stringify(stored));
  assert.partialDeepStrictEqual(pool, { ...stored, spec: { ...stored.spec, blockSize: 26 } });
});

test('parseStored() refuses wrong shapes and text that is no JSON', () => {
  assert.throws(() => parseStored('IPPool', '{"metadata":{"name":"a"},"spec":{"cidr":5}}'), {
    message: 'Cannot accept IPPool "a": spec.cidr 5: expected text',
  });
  assert.throws(() => parseStored('IPPool', '{'), ValidationError);
  assert.throws(() => parseStored('IPPool', '[]'), ValidationError);
});

test('parseStored() reads the blocks of upstream', () => {
  const spec = {
    cidr: '10.244.58.192/26',
    affinity: 'host:k8s-node02',
    allocations: [0, null],
    unallocated: [1],
    attributes: [{ handle_id: 'net.1', secondary: { pod: 'p' } }],
    sequenceNumber: 1,
    sequenceNumberForAllocation: { '0': 1 },
    deleted: false,
  };
  const block = parseStored('IPAMBlock', JSON.stringify({ metadata: { name: 'b' }, spec }));
  assert.deepEqual(block.spec, spec);
});

test('parseResource() throws nothing but ValidationError, on any input', () => {
  const kind = fc.constantFrom(...Object.keys(KINDS), 'Nonsense', 'toString');
  const input = fc.record(
    {
      apiVersion: fc.constant('projectcalico.org/v3'),
      kind,
      metadata: fc.oneof(fc.record({ name: fc.string(), labels: fc.object() }), fc.anything()),
      spec: fc.oneof(fc.object(), fc.anything()),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(input, fc.anything()), (value) => {
      problemsOf(value);
    }),
    { numRuns: 1000 },
  );
});

const problemOf = (kind: string, spec: object): string => {
  const metadata = { name: 'a', ...(kind === 'NetworkPolicy' ? { namespace: 'shop' } : {}) };
  try {
    parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};
const rule = (side: object) => [{ action: 'Allow', ...side }];

test('parseResource() takes services where the far end is, alone, and with a namespace in global policies', () => {
  const services = { name: 'web', namespace: 'shop' };
  assert.equal(
    problemOf('NetworkPolicy', { egress: rule({ destination: { services: { name: 'web' } } }) }),
    '',
  );
  assert.equal(problemOf('GlobalNetworkPolicy', { ingress: rule({ source: { services } }) }), '');
  const wrongEnd = problemOf('NetworkPolicy', { ingress: rule({ destination: { services } }) });
  assert.match(wrongEnd, /an ingress rule names services as source/);
  const nowhere = problemOf('GlobalNetworkPolicy', {
    egress: rule({ destination: { services: { name: 'a' } } }),
  });
  assert.match(nowhere, /spec\.egress\[0\]\.destination\.services\.namespace/);
  const mixed = { services, namespaceSelector: 'all()' };
  assert.match(
    problemOf('NetworkPolicy', { egress: rule({ destination: mixed }) }),
    /none together with services/,
  );
});
