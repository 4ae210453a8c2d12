import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import {
  ExplainResponseSchema,
  type ListRoutesResponse,
  ListRoutesResponseSchema,
  PathVerdict,
} from '@calico/proto/bgp/v1/bgp';
import { formatExplanation, type RouteColumns, RouteTable } from './bgp.ts';

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

function formatRoutes(routes: readonly ListRoutesResponse[], options: RouteColumns = {}): string {
  return new RouteTable(options).format({ routes, isLast: true });
}

test('RouteTable marks what is best, stale, rejected', () => {
  const routes = [
    create(ListRoutesResponseSchema, { prefix: '10.244.90.0/26', stale: true }),
    create(ListRoutesResponseSchema, {
      prefix: ROUTE.prefix,
      nextHop: '192.168.80.102',
      multipath: true,
    }),
    ROUTE,
  ];
  assert.equal(
    formatRoutes(routes),
    `     PREFIX             NEXT HOP         FROM             PREF   MED   AS PATH       COMMUNITIES
*    10.244.85.192/26   192.168.80.101   192.168.80.101   100    -     65001 {1 2}   65000:1 rt:65000:7 65000:1:2
=    10.244.85.192/26   192.168.80.102   this node        -      -     -             -
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

test('RouteTable calls well-known communities by their names', () => {
  const route = create(ListRoutesResponseSchema, {
    prefix: '10.0.0.0/8',
    communities: ['65535:0', '65535:65281', '65535:7', '65535:5', '64512:666'],
  });
  assert.match(formatRoutes([route]), / graceful-shutdown no-export no-llgr 65535:5 64512:666\n$/);
});

test('RouteTable of what a peer was told, and wide', () => {
  const route = create(ListRoutesResponseSchema, {
    prefix: '10.244.0.0/16',
    nextHop: '10.0.0.1',
    origin: 'IGP',
    originatorId: '10.0.0.7',
    clusterList: ['10.0.0.8', '10.0.0.9'],
    aggregator: '64512 10.0.0.1',
    atomicAggregate: true,
    client: 'tool',
    best: true,
  });
  assert.equal(
    formatRoutes([route], { isTold: true }),
    `PREFIX          NEXT HOP   PREF   MED   AS PATH   COMMUNITIES
10.244.0.0/16   10.0.0.1   -      -     -         -
`,
  );
  assert.match(
    formatRoutes([route], { isWide: true }),
    /COMMUNITIES +ORIGIN +ORIGINATOR +CLUSTERS +AGGREGATOR +CLIENT\n.* IGP +10\.0\.0\.7 +10\.0\.0\.8 10\.0\.0\.9 +64512 10\.0\.0\.1 \(atomic\) +tool\n$/,
  );
});

test('RouteTable of several pages has one heading, and room for what later ones may reject', () => {
  const table = new RouteTable({ mayReject: true });
  const accepted = create(ListRoutesResponseSchema, { prefix: '10.0.0.0/8' });
  const rejected = { ...accepted, prefix: '10.128.0.0/9', rejectedBecause: 'rule 1' };
  assert.equal(
    table.format({ routes: [accepted], isLast: false }) +
      table.format({ routes: [rejected], isLast: true }),
    `     PREFIX       NEXT HOP   FROM        PREF   MED   AS PATH   COMMUNITIES   REJECTED BECAUSE
     10.0.0.0/8   -          this node   -      -     -         -
x    10.128.0.0/9   -          this node   -      -     -         -             rule 1
`,
  );
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
  const services = ['192.0.2.7/32, external address of service "shop/web", is not announced: why'];
  for (const answer of [response, nothing]) {
    const text = formatExplanation('192.0.2.7', { ...answer, services });
    assert.equal(text, `${formatExplanation('192.0.2.7', answer)}\n${services[0]}\n`);
  }
});
