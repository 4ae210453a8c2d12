import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import {
  affinity,
  bgpConfiguration,
  bgpFilter,
  bgpPeer,
  node,
  pool,
} from '../../testing/resources.ts';
import { SimulatedCluster } from '../../testing/simulated_cluster.ts';
import type { Peer } from '../speaker/peer.ts';
import { explain, longestMatch, sourceText } from './explain.ts';

const NAMES = ['a', 'b', 'c', 'd'];

/** b, c and d each in an AS of its own announce one range; c's is the longer way, d's is filtered. */
const RESOURCES: readonly AnyResource[] = [
  bgpConfiguration({ nodeToNodeMeshEnabled: false }),
  pool('10.244.0.0/16'),
  ...NAMES.map((name, index) =>
    node(name, `192.168.80.10${index}/24`, { asNumber: 65_000 + index }),
  ),
  ...['b', 'c', 'd'].map((name) => affinity(name, '10.244.9.0/26')),
  affinity('a', '10.244.1.0/26'),
  bgpPeer('b', { node: 'a', peerIP: '192.168.80.101', asNumber: 65_001 }),
  bgpPeer('c', { node: 'a', peerIP: '192.168.80.102', asNumber: 65_002 }),
  bgpPeer('d', { node: 'a', peerIP: '192.168.80.103', asNumber: 65_003, filters: ['no-d'] }),
  ...['b', 'c', 'd'].map((name) =>
    bgpPeer(`${name}-a`, {
      node: name,
      peerIP: '192.168.80.100',
      asNumber: 65_000,
      filters: name === 'c' ? ['longer'] : [],
    }),
  ),
  bgpFilter('longer', {
    exportV4: [{ action: 'Accept', operations: [{ prependASPath: { prefix: [65_099] } }] }],
  }),
  bgpFilter('no-d', {
    importV4: [{ action: 'Reject' }],
    exportV4: [{ action: 'Reject', cidr: '10.244.1.0/24', matchOperator: 'In' }],
  }),
];

const cluster = new SimulatedCluster(1);
cluster.resources = RESOURCES;
for (const name of NAMES) cluster.start(name);
cluster.advance(5_000);
const { speaker } = cluster.node('a');

function ask(prefix: string, peer?: Peer) {
  const { paths, exports } = explain(speaker, parsePrefix(prefix), peer);
  return {
    paths: paths.map(
      ({ source, verdict, reason }) => `${sourceText(source)} ${verdict}: ${reason}`,
    ),
    exports: exports.map(
      ({ peer: key, data, reason }) => `${key} ${data ? 'yes' : 'no'}: ${reason}`,
    ),
  };
}

test('why a path is best, worse or rejected', () => {
  assert.deepEqual(ask('10.244.9.0/26').paths, [
    '192.168.80.101 best: shorter AS path',
    '192.168.80.102 worse: the best path has: shorter AS path',
    '192.168.80.103 rejected: rule 1 of importV4 of BGPFilter "no-d"',
  ]);
});

test('why a path is told to a peer or not', () => {
  assert.deepEqual(ask('10.244.9.0/26').exports, [
    '192.168.80.101 no: learned from this peer',
    '192.168.80.102 yes: in an enabled pool',
    '192.168.80.103 yes: in an enabled pool',
  ]);
  assert.deepEqual(ask('10.244.1.0/26').exports, [
    '192.168.80.101 yes: originated here',
    '192.168.80.102 yes: originated here',
    '192.168.80.103 no: rule 1 of exportV4 of BGPFilter "no-d"',
  ]);
});

test('one peer: its path beside the best, and what it is told', () => {
  const peer = speaker.peers.get('192.168.80.102');
  const { paths, exports } = ask('10.244.9.0/26', peer);
  assert.equal(paths.length, 2);
  assert.deepEqual(exports, ['192.168.80.102 yes: in an enabled pool']);
});

test('longestMatch() also knows what was rejected', () => {
  const match = longestMatch(speaker, parseAddress('10.244.9.7'));
  assert.equal(match && formatPrefix(match), '10.244.9.0/26');
  assert.equal(longestMatch(speaker, parseAddress('10.9.9.7')), undefined);
});

test('a session that is down explains itself', () => {
  cluster.kill('c');
  cluster.advance(1_000);
  assert.match(ask('10.244.1.0/26').exports.join(), /102 no: the session is not established/);
  assert.match(ask('10.244.9.0/26').paths.join(), /102 worse/);
});

test('with ADD-PATH each path that a peer is told explains itself, and all that are kept out', () => {
  const names = ['a', 'b', 'c'];
  const addPath = 'Both';
  const several = new SimulatedCluster(1);
  several.resources = [
    bgpConfiguration({ nodeToNodeMeshEnabled: false }),
    pool('10.244.0.0/16'),
    ...RESOURCES.filter(({ kind, metadata }) => kind === 'Node' && names.includes(metadata.name)),
    ...['b', 'c'].map((name) => affinity(name, '10.244.9.0/26')),
    bgpPeer('to-b', { node: 'a', peerIP: '192.168.80.101', asNumber: 65_001, addPath }),
    bgpPeer('to-c', { node: 'a', peerIP: '192.168.80.102', asNumber: 65_002 }),
    ...['b', 'c'].map((name) =>
      bgpPeer(`${name}-to-a`, { node: name, peerIP: '192.168.80.100', asNumber: 65_000, addPath }),
    ),
  ];
  for (const name of names) several.start(name);
  several.advance(5_000);
  const { exports } = explain(several.node('a').speaker, parsePrefix('10.244.9.0/26'));
  assert.deepEqual(
    exports.map(({ peer, data, reason }) => `${peer} ${data ? 'yes' : 'no'}: ${reason}`),
    [
      '192.168.80.101 yes: path of "192.168.80.102": in an enabled pool',
      '192.168.80.102 yes: in an enabled pool',
    ],
  );
  const atB = several.node('b').speaker;
  const nothing = explain(atB, parsePrefix('10.244.9.0/26')).exports;
  assert.deepEqual(
    nothing.map(({ reason }) => reason),
    ['path of "this node": originated here'],
  );
});
