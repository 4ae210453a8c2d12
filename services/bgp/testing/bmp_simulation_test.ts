// What a BMP collector is told of a node in a simulated cluster.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BmpFramer,
  type BmpMessage,
  DEFAULT_CONTEXT,
  decodeMessage,
  endOfRibOf,
  type Message,
  MessageFramer,
  type Nlri,
  type Update,
  type WireContext,
} from '@calico/bgp-wire';
import { formatAddress, formatPrefix, parseAddress } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import type { BmpSettings } from '../core/bmp/settings.ts';
import type { CollectorPort, CollectorSource } from '../ports.ts';
import { affinity, bgpConfiguration, bgpFilter, bgpPeer, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

/** Reads the stream into tables, as a station would. */
class Station implements CollectorPort {
  readonly #framer = new BmpFramer();
  readonly tables = new Map<string, Set<string>>();
  readonly log: string[] = [];
  /** Our addresses, by those of the peers. */
  readonly locals = new Map<string, string>();
  /** Whose prefixes have path identifiers, by their OPENs. */
  readonly #identified = new Set<string>();
  target: BmpSettings | undefined;
  source: CollectorSource | undefined;
  isSlow = false;

  configure(target: BmpSettings | undefined, source: CollectorSource): void {
    this.target = target;
    this.source = source;
    if (target !== undefined) this.connect();
  }

  connect(): void {
    this.tables.clear();
    this.source?.connected();
    this.wake();
  }

  wake(): void {
    if (this.isSlow) return;
    for (let bytes = this.source?.take(); bytes !== undefined; bytes = this.source?.take()) {
      this.#framer.push(bytes);
      for (let next = this.#framer.next(); next !== undefined; next = this.#framer.next()) {
        this.#read(next);
      }
    }
  }

  table(name: string): string[] {
    return [...(this.tables.get(name) ?? [])].toSorted();
  }

  #read(message: BmpMessage): void {
    if (message.kind === 'initiation') return void this.log.push(`initiation ${message.name}`);
    if (message.kind === 'termination') return void this.log.push('termination');
    const { address, table } = message.peer;
    const name = `${address === undefined ? '' : `${formatAddress(address)} `}${table}`;
    if (message.kind === 'peer-up') {
      const isIdentified =
        offers(message.sentOpen, 'receive') && offers(message.receivedOpen, 'send');
      const [who = ''] = name.split(' ');
      const { localAddress } = message;
      if (localAddress !== undefined) this.locals.set(who, formatAddress(localAddress));
      if (isIdentified) this.#identified.add(who);
      else this.#identified.delete(who);
    }
    if (message.kind === 'route-monitoring') {
      const isIdentified = this.#identified.has(name.split(' ')[0] ?? '');
      return this.#update(name, readUpdate(message.update, isIdentified));
    }
    if (message.kind === 'peer-down') {
      for (const key of this.tables.keys()) {
        if (key.startsWith(name.split(' ')[0] ?? '')) this.tables.delete(key);
      }
    }
    const detail = message.kind === 'peer-down' ? ` ${message.reason}` : '';
    this.log.push(`${message.kind} ${name}${detail}`);
    if (message.kind === 'statistics') this.log.push(JSON.stringify(message.values));
  }

  #update(name: string, update: Update): void {
    const table = this.tables.get(name) ?? new Set();
    this.tables.set(name, table);
    if (endOfRibOf(update) !== undefined) return;
    for (const nlri of update.withdrawn) table.delete(textOf(nlri));
    for (const nlri of update.announced) table.add(textOf(nlri));
  }
}

function textOf({ prefix, pathId }: Nlri): string {
  return pathId === undefined ? formatPrefix(prefix) : `${formatPrefix(prefix)} ${pathId}`;
}

/** Whether an OPEN says so of several paths of IPv4 prefixes. */
function offers(bytes: Uint8Array, does: 'send' | 'receive'): boolean {
  const message = readMessage(bytes, DEFAULT_CONTEXT);
  assert.ok(message.kind === 'open');
  return message.capabilities.some(
    (each) => each.kind === 'add-path' && each.families.some((family) => family[does]),
  );
}

function readMessage(bytes: Uint8Array, context: WireContext): Message {
  const framer = new MessageFramer();
  framer.push(bytes);
  const frame = framer.next();
  assert.ok(frame);
  return decodeMessage(frame, context);
}

function readUpdate(bytes: Uint8Array, isIdentified: boolean): Update {
  const message = readMessage(bytes, { ...DEFAULT_CONTEXT, addPath: isIdentified ? [4] : [] });
  assert.ok(message.kind === 'update');
  return message;
}

const BLOCK_B = '10.244.58.192/26';
const BLOCK_C = '10.244.85.192/26';

function monitored(seed: number): { cluster: SimulatedCluster; station: Station } {
  const cluster = new SimulatedCluster(seed);
  const station = new Station();
  cluster.collectorOf = (name) => (name === 'a' ? station : undefined);
  cluster.resources = [
    bgpConfiguration({ bmp: { collector: '192.0.2.1:11019', statisticsInterval: '10s' } }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.101/24'),
    node('b', '192.168.80.102/24'),
    node('c', '192.168.80.103/24'),
    affinity('a', '10.244.1.0/26'),
    affinity('b', BLOCK_B),
    affinity('c', BLOCK_C),
  ];
  for (const name of ['a', 'b', 'c']) cluster.start(name);
  return { cluster, station };
}

test('sessions, routes of each peer before and after policy, and the best routes', () => {
  const { cluster, station } = monitored(3);
  cluster.advance(5_000);
  assert.equal(station.log[0], 'initiation a');
  assert.equal(station.log[1], 'peer-up loc-rib');
  assert.ok(station.log.includes('peer-up 192.168.80.102 pre-policy'));
  assert.deepEqual(station.table('192.168.80.102 pre-policy'), [BLOCK_B]);
  assert.deepEqual(station.table('192.168.80.102 post-policy'), [BLOCK_B]);
  assert.deepEqual(station.table('loc-rib'), ['10.244.1.0/26', BLOCK_B, BLOCK_C]);
});

test('a policy that rejects shows between the tables, and its change is told', () => {
  const { cluster, station } = monitored(4);
  cluster.advance(5_000);
  const deny = bgpFilter('deny', { importV4: [{ action: 'Reject' }] });
  const peer = bgpPeer('b', { peerIP: '192.168.80.102', asNumber: 64_512, filters: ['deny'] });
  const before = cluster.resources;
  cluster.apply([...before, deny, peer]);
  cluster.advance(5_000);
  assert.deepEqual(station.table('192.168.80.102 pre-policy'), [BLOCK_B]);
  assert.deepEqual(station.table('192.168.80.102 post-policy'), []);
  assert.deepEqual(station.table('loc-rib'), ['10.244.1.0/26', BLOCK_C]);
  cluster.apply(before);
  cluster.advance(5_000);
  assert.deepEqual(station.table('192.168.80.102 post-policy'), [BLOCK_B]);
});

test('a peer that goes is told with the reason, and what it withdraws', () => {
  const { cluster, station } = monitored(5);
  cluster.advance(5_000);
  cluster.apply(cluster.resources.slice(0, -1));
  cluster.advance(2_000);
  assert.deepEqual(station.table('192.168.80.103 post-policy'), []);
  cluster.kill('b');
  cluster.advance(1_000);
  // 4: closed by the far end, without a NOTIFICATION.
  assert.ok(station.log.includes('peer-down 192.168.80.102 pre-policy 4'));
  assert.deepEqual(station.table('192.168.80.102 pre-policy'), []);
});

test('statistics come regularly', () => {
  const { cluster, station } = monitored(6);
  cluster.advance(25_000);
  const reports = station.log.filter((line) => line === 'statistics 192.168.80.102 pre-policy');
  assert.equal(reports.length, 2);
  const values = station.log[station.log.lastIndexOf('statistics loc-rib') + 1];
  assert.equal(values, '[{"type":8,"value":3}]');
});

test('a collector that is slow gets the last state only, and one that comes back everything', () => {
  const { cluster, station } = monitored(7);
  cluster.advance(5_000);
  station.isSlow = true;
  const all = cluster.resources;
  for (let round = 0; round < 30; round++) {
    cluster.apply(round % 2 === 0 ? all.slice(0, -1) : all);
    cluster.advance(500);
  }
  station.isSlow = false;
  station.wake();
  assert.deepEqual(station.table('192.168.80.103 post-policy'), [BLOCK_C]);
  station.source?.disconnected();
  cluster.advance(1_000);
  station.connect();
  assert.deepEqual(station.table('loc-rib'), ['10.244.1.0/26', BLOCK_B, BLOCK_C]);
  assert.equal(station.log.filter((line) => line === 'initiation a').length, 2);
});

/** Between a and b. */
function peersWith(addPath: string): AnyResource[] {
  const spec = { asNumber: 64_512, addPath };
  return [
    bgpPeer('a', { node: 'a', peerIP: '192.168.80.102', ...spec }),
    bgpPeer('b', { node: 'b', peerIP: '192.168.80.101', ...spec }),
  ];
}

test('routes of a peer that tells several paths bear their identifiers, as its OPENs have it', () => {
  const { cluster, station } = monitored(9);
  const others = cluster.resources;
  cluster.apply([...others, ...peersWith('Both')]);
  cluster.advance(10_000);
  const told = station.table('192.168.80.102 pre-policy');
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', new RegExp(`^${BLOCK_B} [0-9]+$`));
  assert.deepEqual(station.table('192.168.80.102 post-policy'), told);
  assert.ok(station.table('loc-rib').includes(BLOCK_B));
  cluster.apply([...others, ...peersWith('Disabled')]);
  cluster.advance(10_000);
  assert.deepEqual(station.table('192.168.80.102 pre-policy'), [BLOCK_B]);
});

test('a peer that speaks first is told of as others are, with our address of the session', () => {
  const { cluster, station } = monitored(5);
  cluster.resources = [
    ...cluster.resources.filter(({ kind }) => kind !== 'BGPConfiguration'),
    bgpConfiguration({ nodeToNodeMeshEnabled: false, bmp: { collector: '192.0.2.1:11019' } }),
    ...['a', 'b'].map((name, index) =>
      bgpPeer(name, {
        node: name,
        peerIP: `192.168.80.10${2 - index}`,
        asNumber: 64_512,
        sourceAddress: 'None',
        ...(name === 'a' && { delayOpen: '2s' }),
      }),
    ),
  ];
  cluster.apply(cluster.resources);
  cluster.advance(10_000);
  assert.ok(station.log.includes('peer-up 192.168.80.102 pre-policy'));
  assert.deepEqual(station.locals.get('192.168.80.102'), '192.168.80.101');
  assert.deepEqual(station.table('192.168.80.102 pre-policy'), [BLOCK_B]);
});

test('why a session ended: removed with a word, given up for a new one', () => {
  const { cluster, station } = monitored(6);
  cluster.advance(10_000);
  // It restarts, and its new connection is there before the end of the old one is.
  const address = parseAddress('192.168.80.103');
  cluster.network.silence(address);
  cluster.kill('c');
  cluster.advance(1_000);
  cluster.network.hear(address);
  cluster.start('c');
  cluster.advance(10_000);
  cluster.apply(cluster.resources.filter(({ metadata }) => metadata.name !== 'b'));
  cluster.advance(1_000);
  const ends = station.log.filter((line) => line.startsWith('peer-down'));
  assert.deepEqual(ends, [
    'peer-down 192.168.80.103 pre-policy 2',
    'peer-down 192.168.80.102 pre-policy 1',
  ]);
});
