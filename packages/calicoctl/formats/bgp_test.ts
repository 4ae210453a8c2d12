import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  ExplainResponseSchema,
  ListRoutesResponseSchema,
  PathVerdict,
} from '@calico/proto/bgp/v1/bgp';
import { BgpPeerStatusSchema } from '@calico/proto/events/v1/events';
import { formatExplanation, formatPeers, formatRoutes } from './bgp.ts';

const NOW = 1_000_000_000;

test('formatPeers() in the order of addresses', () => {
  const peers = [
    create(BgpPeerStatusSchema, {
      address: '192.168.80.102',
      port: 1790,
      remoteAsn: 65_000,
      state: 'Connect',
      lastError: 'Connection refused',
    }),
    create(BgpPeerStatusSchema, {
      address: '192.168.80.101',
      port: 179,
      remoteNode: 'k8s-node01',
      remoteAsn: 64_512,
      state: 'Established',
      since: { seconds: BigInt(NOW / 1000 - 90_000), nanos: 0 },
      prefixesReceived: 12,
      prefixesAdvertised: 3,
    }),
  ];
  assert.equal(
    formatPeers(peers, NOW),
    `PEER                       NODE         AS      STATE         FOR    RECEIVED   ADVERTISED   INFO
192.168.80.101             k8s-node01   64512   Established   1d1h   12         3
192.168.80.102 port 1790   -            65000   Connect       -      0          0            Connection refused
`,
  );
  assert.equal(formatPeers([], NOW), 'No peers found.\n');
});

test('formatPeers() with what BFD says, when a path is watched', () => {
  const up = { state: 'Up', transmitIntervalMs: 300, detectionTimeMs: 900 };
  const peers = [
    create(BgpPeerStatusSchema, { address: '10.0.0.1', state: 'Established', bfd: up }),
    create(BgpPeerStatusSchema, {
      address: '10.0.0.2',
      bfd: { state: 'Down', reason: 'no packet' },
    }),
    create(BgpPeerStatusSchema, { address: '10.0.0.3' }),
  ];
  const lines = formatPeers(peers, NOW).split('\n');
  assert.match(lines[0] ?? '', /ADVERTISED +BFD +INFO$/);
  assert.match(lines[1] ?? '', / Up 300ms\/900ms$/);
  assert.match(lines[2] ?? '', / Down \(no packet\)$/);
  assert.match(lines[3] ?? '', / -$/);
});

const ROUTE = create(ListRoutesResponseSchema, {
  prefix: '10.244.85.192/26',
  nextHop: '192.168.80.101',
  learnedFrom: '192.168.80.101',
  localPreference: 100,
  asPathText: '65001 {1 2}',
  communities: ['65000:1'],
  extendedCommunities: ['rt:65000:7'],
  largeCommunities: ['65000:1:2'],
  best: true,
});

test('formatRoutes() marks what is best, stale, rejected', () => {
  const routes = [
    create(ListRoutesResponseSchema, { prefix: '10.244.90.0/26', stale: true }),
    create(ListRoutesResponseSchema, { prefix: ROUTE.prefix, nextHop: '192.168.80.102' }),
    ROUTE,
  ];
  assert.equal(
    formatRoutes(routes),
    `     PREFIX             NEXT HOP         FROM             PREF   MED   AS PATH       COMMUNITIES
*    10.244.85.192/26   192.168.80.101   192.168.80.101   100    -     65001 {1 2}   65000:1 rt:65000:7 65000:1:2
     10.244.85.192/26   192.168.80.102   this node        -      -     -             -
s    10.244.90.0/26     -                this node        -      -     -             -
`,
  );
  const rejected = create(ListRoutesResponseSchema, {
    prefix: '10.0.0.0/8',
    rejectedBecause: 'rule 1',
  });
  assert.match(formatRoutes([rejected]), /REJECTED BECAUSE\nx .* rule 1\n$/);
  assert.equal(formatRoutes([]), 'No routes found.\n');
});

test('formatExplanation() gives verdicts, exports and the kernel', () => {
  const response = create(ExplainResponseSchema, {
    prefix: ROUTE.prefix,
    paths: [
      { route: ROUTE, verdict: PathVerdict.BEST, reason: 'shorter AS path' },
      { route: ROUTE, verdict: PathVerdict.REJECTED, reason: 'rule 1' },
    ],
    exports: [{ peer: '192.168.80.103', exported: false, reason: 'community no-export' }],
    kernel: '"10.244.85.192/26 via 192.168.80.101" is in the kernel',
  });
  assert.equal(
    formatExplanation('10.244.85.194', response),
    `10.244.85.192/26

Paths
VERDICT    FROM             NEXT HOP         AS PATH       BECAUSE
best       192.168.80.101   192.168.80.101   65001 {1 2}   shorter AS path
rejected   192.168.80.101   192.168.80.101   65001 {1 2}   rule 1

Told to peers
PEER             TOLD   NEXT HOP   BECAUSE
192.168.80.103   no     -          community no-export

Kernel: "10.244.85.192/26 via 192.168.80.101" is in the kernel
`,
  );
  const nothing = create(ExplainResponseSchema, {});
  assert.match(formatExplanation('10.9.0.0/16', nothing), /a route to 10.9.0.0\/16/);
});
