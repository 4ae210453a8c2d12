// Recorded and hand-assembled messages: the same bytes both ways.
import { parseAddress } from '@calico/ip';
import { EMPTY_UPDATE, fromHex, type Golden, MARKER, nlri } from '../testing.ts';

export const goldens: readonly Golden[] = [
  { name: 'KEEPALIVE', hex: `${MARKER} 0013 04`, message: { kind: 'keepalive' } },
  {
    name: 'OPEN without capabilities',
    hex: `${MARKER} 001d 01 04 fc00 00f0 c0a85064 00`,
    message: {
      kind: 'open',
      asn: 64512,
      holdTimeSeconds: 240,
      routerId: 0xc0a85064,
      capabilities: [],
    },
  },
  {
    name: 'OPEN as the BIRD 2 of an upstream node sends it',
    hex: `${MARKER} 004b 01 04 fc00 00f0 c0a85065 2e
      02 06 01 04 0001 00 01
      02 02 02 00
      02 02 06 00
      02 08 40 06 c078 0001 01 80
      02 06 41 04 0000fc00
      02 06 45 04 0001 01 03
      02 02 46 00`,
    message: {
      kind: 'open',
      asn: 64512,
      holdTimeSeconds: 240,
      routerId: 0xc0a85065,
      capabilities: [
        { kind: 'multiprotocol', afi: 1, safi: 1 },
        { kind: 'route-refresh' },
        { kind: 'extended-message' },
        {
          kind: 'graceful-restart',
          restarting: true,
          notification: true,
          restartTimeSeconds: 120,
          families: [{ afi: 1, safi: 1, forwarding: true }],
        },
        { kind: 'four-octet-as', asn: 64512 },
        { kind: 'add-path', families: [{ afi: 1, safi: 1, receive: true, send: true }] },
        { kind: 'enhanced-route-refresh' },
      ],
    },
  },
  {
    name: 'OPEN with a four-octet AS number and an unknown capability',
    hex: `${MARKER} 002a 01 04 5ba0 0000 0a000001 0d 02 06 41 04 fa56ea00 02 03 49 01 07`,
    message: {
      kind: 'open',
      asn: 4200000000,
      holdTimeSeconds: 0,
      routerId: 0x0a000001,
      capabilities: [
        { kind: 'four-octet-as', asn: 4200000000 },
        { kind: 'unknown', code: 73, value: fromHex('07') },
      ],
    },
  },
  {
    name: 'OPEN of a provider that keeps stale routes for an hour',
    hex: `${MARKER} 0035 01 04 fde8 005a 0a000001 18
      02 06 41 04 0000fde8
      02 03 09 01 00
      02 09 47 07 0001 01 80 000e10`,
    message: {
      kind: 'open',
      asn: 65000,
      holdTimeSeconds: 90,
      routerId: 0x0a000001,
      capabilities: [
        { kind: 'four-octet-as', asn: 65000 },
        { kind: 'role', role: 'provider' },
        {
          kind: 'long-lived-graceful-restart',
          families: [{ afi: 1, safi: 1, forwarding: true, staleSeconds: 3_600 }],
        },
      ],
    },
  },
  {
    name: 'UPDATE of a provider to its customer',
    hex: `${MARKER} 0036 02 0000 001b
      40 01 01 00
      40 02 06 02 01 0000fde8
      40 03 04 c0a85064
      c0 23 04 0000fde8
      18 0af400`,
    message: {
      ...EMPTY_UPDATE,
      announced: [nlri('10.244.0.0/24')],
      attributes: {
        origin: 0,
        asPath: [{ kind: 'sequence', asns: [65000] }],
        nextHop: parseAddress('192.168.80.100'),
        onlyToCustomer: 65000,
      },
    },
  },
  {
    name: 'NOTIFICATION of a hard reset with its reason',
    hex: `${MARKER} 001b 03 06 09 06 02 03 627965`,
    message: {
      kind: 'notification',
      code: 6,
      subcode: 9,
      data: fromHex('06 02 03 627965'),
    },
  },
  {
    name: 'UPDATE of a node that announces its block',
    hex: `${MARKER} 0031 02 0000 0015
      40 01 01 00
      40 02 00
      40 03 04 c0a85065
      40 05 04 00000064
      1a 0af455c0`,
    message: {
      ...EMPTY_UPDATE,
      announced: [nlri('10.244.85.192/26')],
      attributes: {
        origin: 0,
        asPath: [],
        nextHop: parseAddress('192.168.80.101'),
        localPreference: 100,
      },
    },
  },
  {
    name: 'UPDATE that withdraws a borrowed address and a block',
    hex: `${MARKER} 0021 02 000a 20 0af455c1 1a 0af455c0 0000`,
    message: {
      ...EMPTY_UPDATE,
      withdrawn: [nlri('10.244.85.193/32'), nlri('10.244.85.192/26')],
    },
  },
  {
    name: 'UPDATE with path identifiers',
    hex: `${MARKER} 0036 02 0009 00000001 1a 0af43ac0 000e 40 01 01 00 40 02 00 40 03 04 0a000001 00000002 18 0a0102`,
    context: { addPath: [4] },
    message: {
      ...EMPTY_UPDATE,
      withdrawn: [nlri('10.244.58.192/26', 1)],
      announced: [nlri('10.1.2.0/24', 2)],
      attributes: { origin: 0, asPath: [], nextHop: parseAddress('10.0.0.1') },
    },
  },
  {
    name: 'UPDATE with every attribute',
    hex: `${MARKER} 0094 02 0000 007a
      40 01 01 02
      40 02 14 02 03 0000fde8 0000fde9 fa56ea00 01 01 00000007
      40 03 04 0a000001
      80 04 04 00000032
      40 05 04 000000c8
      40 06 00
      c0 07 08 0000fde8 0a000009
      c0 08 08 fde80064 ffffff01
      80 09 04 0a000002
      80 0a 08 0a000003 0a000004
      c0 10 08 0002fde800000064
      c0 20 0c 0000fde8 00000001 00000002
      e0 63 02 beef
      10 0a01`,
    message: {
      ...EMPTY_UPDATE,
      announced: [nlri('10.1.0.0/16')],
      attributes: {
        origin: 2,
        asPath: [
          { kind: 'sequence', asns: [65000, 65001, 4200000000] },
          { kind: 'set', asns: [7] },
        ],
        nextHop: parseAddress('10.0.0.1'),
        multiExitDiscriminator: 50,
        localPreference: 200,
        atomicAggregate: true,
        aggregator: { asn: 65000, routerId: 0x0a000009 },
        communities: [0xfde80064, 0xffffff01],
        originatorId: 0x0a000002,
        clusterList: [0x0a000003, 0x0a000004],
        extendedCommunities: [0x0002fde800000064n],
        largeCommunities: [{ global: 65000, local1: 1, local2: 2 }],
        unknown: [{ flags: 0xe0, type: 99, value: fromHex('beef') }],
      },
    },
  },
  {
    name: 'UPDATE of IPv6 prefixes with a global and a link-local next hop',
    hex: `${MARKER} 0050 02 0000 0039
      80 0e 2f 0002 01 20 20010db8000000000000000000000001 fe800000000000000000000000000001 00
        40 20010db800000001 00
      40 01 01 00 40 02 00`,
    message: {
      ...EMPTY_UPDATE,
      attributes: { origin: 0, asPath: [] },
      reach: {
        family: 6,
        nextHop: parseAddress('2001:db8::1'),
        linkLocalNextHop: parseAddress('fe80::1'),
        nlri: [nlri('2001:db8:0:1::/64'), nlri('::/0')],
      },
    },
  },
  {
    name: 'End-of-RIB for IPv4',
    hex: `${MARKER} 0017 02 0000 0000`,
    message: EMPTY_UPDATE,
  },
  {
    name: 'End-of-RIB for IPv6',
    hex: `${MARKER} 001d 02 0000 0006 80 0f 03 0002 01`,
    message: { ...EMPTY_UPDATE, unreach: { family: 6, nlri: [] } },
  },
  {
    name: 'NOTIFICATION of an administrative shutdown with a text',
    hex: `${MARKER} 0024 03 06 02 0e 6d61696e74656e616e6365203a29`,
    message: {
      kind: 'notification',
      code: 6,
      subcode: 2,
      data: fromHex('0e 6d61696e74656e616e6365203a29'),
    },
  },
  {
    name: 'ROUTE-REFRESH request',
    hex: `${MARKER} 0017 05 0001 00 01`,
    message: { kind: 'route-refresh', afi: 1, safi: 1, subtype: 0 },
  },
];
