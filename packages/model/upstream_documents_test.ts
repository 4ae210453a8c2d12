// What upstream refuses is refused with a reason; what it accepts is accepted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource, parseStored } from './mod.ts';
import { document, problemsOf } from './sample_documents.ts';

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
  ['IPPool', { cidr: POOL, allowedUses: [] }, /allowedUses: expected at least 1 entry/],
  ['IPPool', { cidr: POOL, allowedUses: ['LoadBalancer', 'Tunnel'] }, /to stand alone/],
  ['IPPool', { cidr: POOL, allowedUses: ['LoadBalancer'], vxlanMode: 'Always' }, /load balancers/],
  ['IPPool', { cidr: POOL }, /metadata\.namespace: expected none/, { namespace: 'default' }],
  ['IPPool', { cidr: POOL }, /labels.*expected at most 63/, { labels: { a: 'ö' } }],
  ['Node', { bgp: { ipv4Address: 'fd00::1/64' } }, /ipv4Address: expected an IPv4 address/],
  ['Node', { bgp: { asNumber: 4_294_967_296 } }, /asNumber: expected an AS number/],
  ['Node', { bgp: { asNumber: 0 } }, /asNumber: expected an AS number: 1 to/],
  ['BGPPeer', { peerIP: '10.0.0.1', asNumber: 1, keepaliveTime: 3 }, /expected a duration, for/],
  ['BGPPeer', { peerIP: '10.0.0.1', asNumber: 1, holdTime: 90 }, /expected "0s", or whole/],
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
  [
    'BGPPeer',
    { peerInterface: 'eth1' },
    /asNumber: is required except with peerSelector, or remoteAS/,
  ],
  ['BGPPeer', { peerInterface: 'eth1', remoteAS: 'external' }, /remoteAS: expected/],
  [
    'BGPPeer',
    { peerInterface: 'eth1', asNumber: 1, remoteAS: 'External' },
    /remoteAS: expected none when spec.asNumber is given/,
  ],
  ['BGPPeer', { peerSelector: 'all()', remoteAS: 'Internal' }, /remoteAS: expected none with/],
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
    { peerIP: '192.0.2.1', asNumber: 1, sendHoldTime: '90s' },
    /sendHoldTime: expected more than spec.holdTime, which is "90s"/,
  ],
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
  ['FelixConfiguration', { vxlanMTUV6: 70_000 }, /vxlanMTUV6.*0 to 65535/, { name: 'default' }],
  ['FelixConfiguration', { vxlanMTUV6: 1279 }, /vxlanMTUV6.*0 or .*1280 to/, { name: 'default' }],
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
  ['BGPPeer', { peerInterface: 'eth1', remoteAS: 'External' }],
  ['BGPPeer', { peerPrefix: '192.0.2.0/24', remoteAS: 'Internal' }],
  ['BGPPeer', { peerIP: '192.0.2.1', asNumber: 1, holdTime: '3s', sendHoldTime: '4s' }],
  ['BGPPeer', { peerIP: '192.0.2.1', asNumber: 1, sendHoldTime: '0s' }],
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
