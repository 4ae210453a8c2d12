import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { GetSpeakerResponseSchema } from '@calico/proto/bgp/v1/bgp';
import { BgpPeerStatusSchema, BgpPeerType } from '@calico/proto/events/v1/events';
import {
  formatPeer,
  formatPeerChange,
  formatPeers,
  formatProblems,
  formatSpeaker,
} from './bgp_peers.ts';

const NOW = 1_000_000_000;

test('formatPeers() in the order of addresses', () => {
  const peers = [
    create(BgpPeerStatusSchema, {
      address: '192.168.80.102',
      key: '192.168.80.102:1790',
      prefixesStale: 2,
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
      prefixesRejected: 4,
    }),
  ];
  assert.equal(
    formatPeers(peers, NOW),
    `PEER                  NODE         AS      STATE         FOR    RECEIVED   ADVERTISED   INFO
192.168.80.101        k8s-node01   64512   Established   1d1h   12         3            4 rejected
192.168.80.102:1790   -            65000   Connect       -      0          0            Connection refused, 2 stale
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

const PEER = create(BgpPeerStatusSchema, {
  address: 'fe80::1',
  key: 'fe80::1%eth1',
  port: 179,
  type: BgpPeerType.GLOBAL,
  remoteAsn: 65_001,
  state: 'Established',
  since: { seconds: BigInt(NOW / 1000 - 5), nanos: 0 },
  prefixesReceived: 1,
  prefixesRejected: 2,
  messagesReceived: { open: 2n, update: 1n, notification: 1n, keepalive: 40n, routeRefresh: 3n },
  messagesSent: {},
  malformedUpdates: { treatAsWithdraw: 2n, sessionReset: 1n },
  losses: 2,
  lastLoss: { time: { seconds: BigInt(NOW / 1000 - 65), nanos: 0 }, reason: 'Hold timer expired' },
  agreed: ['hold 90s', 'IPv4'],
});

test('formatPeer() and formatPeerChange() say what is known, and nothing of what is not', () => {
  assert.equal(
    formatPeer(PEER, NOW),
    `Peer           fe80::1%eth1
Type           global
Port           179
AS             65001
State          Established for 5s
Received       1 route, 2 rejected
Advertised     0 routes
Messages in    2 OPEN, 1 UPDATE, 1 NOTIFICATION, 40 KEEPALIVE, 3 ROUTE-REFRESH
Messages out   none
Malformed      2 treat-as-withdraw, 1 session-reset
Lost           2 times, last 1m5s ago: Hold timer expired
Agreed         hold 90s, IPv4
`,
  );
  assert.match(
    formatPeerChange(PEER, NOW),
    /^\d\d:\d\d:\d\d fe80::1%eth1 Established: AS 65001, received 1, advertised 0, 2 rejected\n$/,
  );
});

test('formatSpeaker() ends with what is wrong', () => {
  const speaker = create(GetSpeakerResponseSchema, {
    node: 'k8s-node01',
    asn: 64_512,
    routerId: '192.168.80.101',
    version: '1.2.3',
    appliedRevision: 77n,
    ready: true,
    problems: ['A is missing'],
  });
  assert.equal(
    formatSpeaker(speaker),
    `Node        k8s-node01
AS          64512
Router id   192.168.80.101
Reflector   no
Version     1.2.3
Ready       yes
Revision    77, not in sync yet

Problems
  A is missing
`,
  );
  assert.equal(formatProblems([]), '');
  assert.match(
    formatSpeaker({ ...speaker, clusterId: '244.0.0.1', reflector: 'configured' }),
    /\nReflector {3}cluster 244\.0\.0\.1, by routeReflectorClusterID of the Node\n/,
  );
});
