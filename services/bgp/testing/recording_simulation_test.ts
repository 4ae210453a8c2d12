// What is recorded of a node's sessions in a simulated cluster, read back as an analyst would.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  DEFAULT_CONTEXT,
  decodeMessage,
  decodeMrt,
  type Message,
  MessageFramer,
  type MrtRecord,
} from '@calico/bgp-wire';
import { formatAddress, formatPrefix } from '@calico/ip';
import type { RecordingPort } from '../ports.ts';
import { affinity, bgpConfiguration, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

class Keeper implements RecordingPort {
  maxBytes: number | undefined;
  readonly lines: string[] = [];
  readonly records: MrtRecord[] = [];

  configure(maxBytes: number | undefined): void {
    this.maxBytes = maxBytes;
  }

  write(records: readonly Uint8Array[]): void {
    if (this.maxBytes === undefined) return;
    for (const record of decodeMrt(Buffer.concat(records))) {
      this.records.push(record);
      this.lines.push(textOf(record));
    }
  }
}

function textOf(record: MrtRecord): string {
  assert.ok(record.kind === 'message' || record.kind === 'state-change');
  const [peer, local] = [record.peerAddress, record.localAddress].map(formatAddress);
  const isSent = record.kind === 'message' && record.isLocal === true;
  const ends = isSent ? `${local} > ${peer}` : `${peer} > ${local}`;
  if (record.kind === 'state-change') return `${ends} ${record.from} to ${record.to}`;
  const message = messageOf(record.message);
  const prefixes = message.kind === 'update' ? message.announced : [];
  return [ends, message.kind, ...prefixes.map(({ prefix }) => formatPrefix(prefix))].join(' ');
}

function messageOf(bytes: Uint8Array): Message {
  const framer = new MessageFramer();
  framer.push(bytes);
  const frame = framer.next();
  assert.ok(frame !== undefined);
  return decodeMessage(frame, DEFAULT_CONTEXT);
}

function start(sessionRecording: object): { cluster: SimulatedCluster; keeper: Keeper } {
  const cluster = new SimulatedCluster(1);
  const keeper = new Keeper();
  cluster.recordingOf = (name) => (name === 'a' ? keeper : undefined);
  cluster.resources = [
    bgpConfiguration({ asNumber: 64_512, sessionRecording }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    node('b', '192.168.80.101/24'),
    node('c', '192.168.80.102/24'),
    affinity('a', '10.244.1.0/26'),
    affinity('b', '10.244.2.0/26'),
  ];
  for (const name of ['a', 'b', 'c']) cluster.start(name);
  cluster.advance(5_000);
  return { cluster, keeper };
}

test('what a chosen peer says and is told is recorded, with the states of its session', () => {
  const { cluster, keeper } = start({ peers: ['192.168.80.101'], maxSize: 2 });
  assert.equal(keeper.maxBytes, 2 * 1024 * 1024);
  const peer = '192.168.80.101 > 192.168.80.100';
  const known = keeper.lines.filter((line) => !line.endsWith('keepalive'));
  assert.ok(known.includes(`${peer} 5 to 6`), known.join());
  assert.ok(known.includes(`${peer} open`), known.join());
  assert.ok(known.includes(`${peer} update 10.244.2.0/26`), known.join());
  const back = '192.168.80.100 > 192.168.80.101';
  // Both ends dial: some of it is said over either connection.
  assert.deepEqual(
    [...new Set(known.filter((line) => !line.startsWith(peer)))],
    [`${back} open`, `${back} update 10.244.1.0/26`, `${back} update`],
  );
  cluster.apply(cluster.resources.filter((each) => !each.metadata.name.startsWith('b')));
  cluster.advance(5_000);
  assert.equal(keeper.lines.at(-1), `${peer} 6 to 1`);
});

test('a peer that is named without a port is recorded whatever port it has', () => {
  const { cluster, keeper } = start({ peers: ['192.168.80.102'] });
  cluster.apply([...cluster.resources, bgpConfiguration({ listenPort: 1790 }, 'node.c')]);
  keeper.lines.length = 0;
  cluster.advance(10_000);
  assert.ok(keeper.lines.includes('192.168.80.102 > 192.168.80.100 5 to 6'), keeper.lines.join());
});

test('without a choice all peers are recorded', () => {
  const { keeper } = start({});
  assert.equal(keeper.maxBytes, 64 * 1024 * 1024);
  for (const octet of [101, 102]) {
    assert.ok(keeper.lines.includes(`192.168.80.${octet} > 192.168.80.100 5 to 6`));
  }
});

test('each attempt is recorded by the AS number that the peer was told', () => {
  const cluster = new SimulatedCluster(1);
  const keeper = new Keeper();
  cluster.recordingOf = (name) => (name === 'a' ? keeper : undefined);
  const local = { localASNumber: 65_100, localASPrepend: 'Both', localASDual: true };
  cluster.resources = [
    bgpConfiguration({ asNumber: 64_512, nodeToNodeMeshEnabled: false, sessionRecording: {} }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    node('b', '192.168.80.101/24', { asNumber: 65_000 }),
    bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', asNumber: 65_000, ...local }),
    bgpPeer('b-a', { node: 'b', peerIP: '192.168.80.100', asNumber: 64_512 }),
  ];
  for (const name of ['a', 'b']) cluster.start(name);
  cluster.advance(30_000);
  assert.ok(cluster.isConverged());
  const told = new Set<number>();
  const refused = new Set<number>();
  for (const record of keeper.records) {
    if (record.kind !== 'message') continue;
    const message = messageOf(record.message);
    if (message.kind === 'notification') refused.add(record.localAsn);
    if (message.kind !== 'open' || record.isLocal !== true) continue;
    assert.equal(record.localAsn, message.asn);
    told.add(message.asn);
  }
  assert.deepEqual([[...told], [...refused]], [[65_100, 64_512], [65_100]]);
});

test('a peer whose AS number nobody has named is recorded by that of its OPEN', () => {
  const cluster = new SimulatedCluster(1);
  const keeper = new Keeper();
  cluster.recordingOf = (name) => (name === 'a' ? keeper : undefined);
  const startB = (asNumber: number): void => {
    cluster.resources = [
      bgpConfiguration({ asNumber: 64_512, nodeToNodeMeshEnabled: false, sessionRecording: {} }),
      pool('10.244.0.0/16'),
      node('a', '192.168.80.100/24'),
      node('b', '192.168.80.101/24', { asNumber }),
      bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', remoteAS: 'External' }),
      bgpPeer('b-a', { node: 'b', peerIP: '192.168.80.100', asNumber: 64_512 }),
    ];
    if (keeper.maxBytes === undefined) cluster.start('a');
    cluster.start('b');
    cluster.advance(30_000);
  };
  startB(65_000);
  cluster.kill('b');
  cluster.advance(1_000);
  startB(65_001);
  const heard = keeper.records.flatMap((record) => {
    const isHeard = record.kind === 'message' && record.isLocal !== true;
    return isHeard ? `${messageOf(record.message).kind} ${record.peerAsn}` : [];
  });
  for (const asn of [65_000, 65_001]) {
    assert.ok(heard.includes(`open ${asn}`), heard.join());
    assert.ok(heard.includes(`keepalive ${asn}`), heard.join());
  }
  assert.ok(heard.indexOf('open 65001') > heard.lastIndexOf('keepalive 65000'), heard.join());
  assert.ok(!heard.includes('open 0'), heard.join());
});

test('path identifiers are said of the messages that have them, of both ends', () => {
  const cluster = new SimulatedCluster(1);
  const keeper = new Keeper();
  cluster.recordingOf = (name) => (name === 'a' ? keeper : undefined);
  const both = { asNumber: 64_512, addPath: 'Both' };
  cluster.resources = [
    bgpConfiguration({ asNumber: 64_512, nodeToNodeMeshEnabled: false, sessionRecording: {} }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    node('b', '192.168.80.101/24'),
    affinity('a', '10.244.1.0/26'),
    affinity('b', '10.244.2.0/26'),
    bgpPeer('a-b', { node: 'a', peerIP: '192.168.80.101', ...both }),
    bgpPeer('b-a', { node: 'b', peerIP: '192.168.80.100', passive: true, ...both }),
  ];
  for (const name of ['a', 'b']) cluster.start(name);
  cluster.advance(60_000);
  const kinds = new Set<string>();
  for (const record of keeper.records) {
    if (record.kind !== 'message') continue;
    const framer = new MessageFramer();
    framer.push(record.message);
    const frame = framer.next();
    assert.ok(frame !== undefined);
    const addPath = record.hasPathIds === true ? ([4] as const) : [];
    const message = decodeMessage(frame, { ...DEFAULT_CONTEXT, addPath });
    const [one] = message.kind === 'update' ? message.announced : [];
    const id = one === undefined ? '' : ` ${formatPrefix(one.prefix)} ${one.pathId !== undefined}`;
    kinds.add(`${message.kind}${id} ${record.hasPathIds === true}`);
  }
  assert.deepEqual([...kinds].toSorted(), [
    'keepalive false',
    'open false',
    'update 10.244.1.0/26 true true',
    'update 10.244.2.0/26 true true',
    // End-of-RIB.
    'update false',
  ]);
});
