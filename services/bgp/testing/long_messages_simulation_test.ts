// A peer whose messages would be longer if this node had written them: it is recorded and reported in its
// own words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BmpFramer,
  type BmpMessage,
  decodeMrt,
  encodeFrame,
  encodeMessage,
  KEEPALIVE,
  MessageType,
  type MrtRecord,
} from '@calico/bgp-wire';
import { parseAddress } from '@calico/ip';
import type { CollectorPort, CollectorSource, ConnectionHandler, RecordingPort } from '../ports.ts';
import { bgpConfiguration, node, pool } from './resources.ts';
import { SimulatedCluster } from './simulated_cluster.ts';

const ASN = 64_512;
const PEER = '192.168.80.101';
const FOUR_OCTET_AS = [65, 4, 0, 0, ASN >> 8, ASN & 0xff];
const EXTENDED_MESSAGE = [6, 0];
const CEASE = 6;

const MANY_EMPTY = Array.from({ length: 1_200 }, () => [200, 0]).flat();

/** All capabilities in one parameter (RFC 9072). */
function openWith(...capabilities: readonly number[]): Uint8Array {
  const header = [4, ASN >> 8, ASN & 0xff, 0, 90, 1, 1, 1, 1, 255, 255];
  const body = [...header, ...u16(capabilities.length + 3), 2, ...u16(capabilities.length)];
  return encodeFrame(MessageType.Open, Uint8Array.from([...body, ...capabilities]));
}

function u16(value: number): readonly number[] {
  return [value >> 8, value & 0xff];
}

class Observed implements RecordingPort, CollectorPort {
  readonly records: MrtRecord[] = [];
  readonly reports: BmpMessage[] = [];
  readonly #framer = new BmpFramer();
  #source: CollectorSource | undefined;

  configure(_settings: unknown, source?: CollectorSource): void {
    this.#source = source ?? this.#source;
    source?.connected();
  }

  write(records: readonly Uint8Array[]): void {
    this.records.push(...decodeMrt(Buffer.concat(records)));
  }

  wake(): void {
    for (let bytes = this.#source?.take(); bytes !== undefined; bytes = this.#source?.take()) {
      this.#framer.push(bytes);
      for (let next = this.#framer.next(); next !== undefined; next = this.#framer.next()) {
        this.reports.push(next);
      }
    }
  }

  /** Of the peer. */
  get messages(): MrtRecord[] {
    return this.records.filter((record) => record.kind === 'message' && !record.isLocal);
  }
}

/** A peer of node "a" that writes bytes. */
function connected(): {
  readonly observed: Observed;
  readonly say: (...messages: readonly Uint8Array[]) => void;
  readonly heard: readonly Uint8Array[];
} {
  const cluster = new SimulatedCluster(1);
  const observed = new Observed();
  cluster.recordingOf = () => observed;
  cluster.collectorOf = () => observed;
  cluster.resources = [
    bgpConfiguration({
      asNumber: ASN,
      sessionRecording: {},
      bmp: { collector: '192.0.2.1:11019' },
    }),
    pool('10.244.0.0/16'),
    node('a', '192.168.80.100/24'),
    node('b', `${PEER}/24`),
  ];
  const { bgp } = cluster.start('a');
  cluster.advance(1_000);
  const heard: Uint8Array[] = [];
  const send = (bytes: Uint8Array): boolean => heard.push(bytes) > 0;
  const connection = { send, close: () => {} };
  const handler: ConnectionHandler = bgp.accept(parseAddress(PEER), connection);
  const say = (...messages: readonly Uint8Array[]): void => {
    for (const message of messages) handler.data(message);
    cluster.advance(1_000);
  };
  return { observed, say, heard };
}

test('an OPEN with very many capabilities in one parameter', () => {
  const { observed, say } = connected();
  const open = openWith(...FOUR_OCTET_AS, ...MANY_EMPTY);
  say(open, encodeMessage(KEEPALIVE));
  const [first] = observed.messages;
  assert.ok(first?.kind === 'message');
  assert.deepEqual(Buffer.from(first.message), Buffer.from(open));
  const up = observed.reports.find((each) => each.kind === 'peer-up' && each.peer.address);
  assert.ok(up?.kind === 'peer-up');
  assert.deepEqual(Buffer.from(up.receivedOpen), Buffer.from(open));
});

test('a NOTIFICATION of more than 4,096 bytes', () => {
  const { observed, say } = connected();
  const body = new Uint8Array(5_000).fill(7);
  body.set([CEASE, 4]);
  const notification = encodeFrame(MessageType.Notification, body, true);
  const open = openWith(...FOUR_OCTET_AS, ...EXTENDED_MESSAGE);
  say(open, encodeMessage(KEEPALIVE), notification);
  const last = observed.messages.at(-1);
  assert.ok(last?.kind === 'message');
  assert.deepEqual(Buffer.from(last.message), Buffer.from(notification));
  const down = observed.reports.find(({ kind }) => kind === 'peer-down');
  assert.ok(down?.kind === 'peer-down');
  assert.deepEqual(Buffer.from(down.data), Buffer.from(notification));
});

test('an UPDATE that ends its session is recorded as the others are', () => {
  const { observed, say } = connected();
  // Its path attributes are longer than itself.
  const broken = encodeFrame(MessageType.Update, Uint8Array.of(0, 0, 0, 9));
  say(openWith(...EXTENDED_MESSAGE), encodeMessage(KEEPALIVE), broken);
  const last = observed.messages.at(-1);
  assert.ok(last?.kind === 'message');
  assert.deepEqual(Buffer.from(last.message), Buffer.from(broken));
  assert.equal(last.hasTwoOctetAs, true, 'the peer knows no others');
  assert.equal(observed.records.at(-1)?.kind, 'state-change', 'the session is over');
});

test('what is wrong with an UPDATE of more than 4,096 bytes is told as a whole', () => {
  const { say, heard } = connected();
  // Well-known by its flags, but nobody knows it; RFC 4271 wants it back.
  const attribute = [0x50, 99, ...u16(5_000), ...new Uint8Array(5_000)];
  const body = Uint8Array.from([0, 0, ...u16(attribute.length), ...attribute, 24, 10, 9, 9]);
  const update = encodeFrame(MessageType.Update, body, true);
  say(openWith(...FOUR_OCTET_AS, ...EXTENDED_MESSAGE), encodeMessage(KEEPALIVE), update);
  const refusal = Uint8Array.of(3, 2, ...attribute);
  const expected = encodeFrame(MessageType.Notification, refusal, true);
  assert.deepEqual(Buffer.from(heard.at(-1) ?? []), Buffer.from(expected));
});
