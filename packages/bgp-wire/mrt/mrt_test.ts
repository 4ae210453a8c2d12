import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { encodeMessage, KEEPALIVE } from '../message.ts';
import { decodeMrt } from './decode.ts';
import { encodeMrt, fitsMrt } from './encode.ts';
import { MrtError, type MrtRecord, MrtState } from './types.ts';

const ATTRIBUTES = {
  origin: 0,
  asPath: [{ kind: 'sequence', asns: [4_200_000_000, 64_512] }],
  localPreference: 100,
  communities: [0xfc000001],
} as const;

const ENDS = {
  peerAsn: 64_512,
  localAsn: 65_000,
  interfaceIndex: 3,
  family: 6,
  peerAddress: parseAddress('2001:db8::1'),
  localAddress: parseAddress('2001:db8::2'),
} as const;

const RECORDS: readonly MrtRecord[] = [
  {
    kind: 'peers',
    timestamp: 1_700_000_000,
    routerId: 0xc0000201,
    view: 'main',
    peers: [
      { address: parseAddress('0.0.0.0'), asn: 64_512, routerId: 0xc0000201 },
      { address: parseAddress('2001:db8::1'), asn: 4_200_000_000, routerId: 2 },
    ],
  },
  {
    kind: 'routes',
    timestamp: 1_700_000_000,
    sequence: 0,
    prefix: parsePrefix('10.244.85.192/26'),
    entries: [
      {
        peer: 1,
        originated: 1_699_999_999,
        attributes: ATTRIBUTES,
        nextHop: parseAddress('192.0.2.1'),
      },
      { peer: 0, originated: 0, attributes: ATTRIBUTES, nextHop: parseAddress('2001:db8::1') },
    ],
  },
  {
    kind: 'routes',
    timestamp: 1_700_000_000,
    sequence: 1,
    prefix: parsePrefix('fd00:10:244::/122'),
    entries: [
      {
        peer: 1,
        originated: 7,
        pathId: 9,
        attributes: ATTRIBUTES,
        nextHop: parseAddress('2001:db8::1'),
      },
    ],
  },
  {
    kind: 'message',
    timestamp: 1_700_000_001,
    peerAsn: 64_512,
    localAsn: 4_200_000_000,
    interfaceIndex: 0,
    family: 4,
    peerAddress: parseAddress('192.0.2.1'),
    localAddress: parseAddress('192.0.2.2'),
    message: encodeMessage(KEEPALIVE),
  },
  ...(
    [
      { hasTwoOctetAs: true },
      { hasPathIds: true },
      { hasTwoOctetAs: true, hasPathIds: true },
      { isLocal: true },
      { isLocal: true, hasTwoOctetAs: true },
      { isLocal: true, hasPathIds: true },
      { isLocal: true, hasTwoOctetAs: true, hasPathIds: true },
    ] as const
  ).map(
    (form) =>
      ({
        kind: 'message',
        timestamp: 7,
        ...ENDS,
        ...form,
        message: encodeMessage(KEEPALIVE),
      }) as const,
  ),
  { kind: 'state-change', timestamp: 8, ...ENDS, from: MrtState.Established, to: MrtState.Idle },
];

function file(records: readonly MrtRecord[]): Uint8Array {
  return new Uint8Array(Buffer.concat(records.map((record) => encodeMrt(record))));
}

test('records are read back as they were written', () => {
  assert.deepEqual([...decodeMrt(file(RECORDS))], RECORDS);
});

test('messages have the subtypes of RFC 6396 and RFC 8050', () => {
  const subtypes = RECORDS.filter(({ kind }) => kind === 'message').map(
    (record) => encodeMrt(record)[7],
  );
  assert.deepEqual(subtypes, [4, 1, 9, 8, 7, 6, 11, 10]);
});

test('records of other kinds are left out', () => {
  const other = Uint8Array.from([0, 0, 0, 1, 0, 48, 0, 1, 0, 0, 0, 2, 1, 2]);
  const whole = Buffer.concat([other, file(RECORDS), other]);
  assert.deepEqual([...decodeMrt(whole)], RECORDS);
});

test('a next hop in a whole MP_REACH_NLRI is read as well', () => {
  const [, , route] = RECORDS;
  const bytes = Buffer.from(encodeMrt(route as MrtRecord)).toString('hex');
  const nextHop = '20010db8000000000000000000000001';
  // Flags and type, then the length of the attribute; AFI and SAFI before, no prefixes after.
  const long = bytes.replace(`800e1110${nextHop}`, `800e1500020110${nextHop}00`);
  const grown = Buffer.from(long, 'hex');
  grown.writeUInt32BE(grown.length - 12, 8);
  const attributesAt = 12 + 4 + 1 + 16 + 2 + 2 + 4 + 4;
  grown.writeUInt16BE(grown.readUInt16BE(attributesAt) + 4, attributesAt);
  assert.deepEqual([...decodeMrt(grown)], [route]);
});

test('attributes that are too long for a record are refused', () => {
  const [, , route] = RECORDS;
  assert.ok(route?.kind === 'routes');
  const asns = Array.from({ length: 255 }, () => 4_200_000_000);
  const entryOf = (segments: number) => {
    const asPath = Array.from({ length: segments }, () => ({ kind: 'sequence', asns }) as const);
    return { peer: 0, originated: 0, attributes: { ...ATTRIBUTES, asPath }, nextHop: undefined };
  };
  assert.ok(fitsMrt(entryOf(64)));
  assert.ok(!fitsMrt(entryOf(65)));
  assert.throws(() => encodeMrt({ ...route, entries: [entryOf(65)] }), MrtError);
});

function read(bytes: Uint8Array): void {
  try {
    for (const record of decodeMrt(bytes)) assert.ok(record);
  } catch (cause) {
    assert.ok(cause instanceof MrtError);
  }
}

test('every truncation and arbitrary bytes are refused with an MrtError, or read', () => {
  const whole = file(RECORDS);
  for (let length = 0; length < whole.length; length++) read(whole.subarray(0, length));
  const position = fc.integer({ min: 0, max: whole.length - 1 });
  const octet = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(fc.array(fc.tuple(position, octet), { maxLength: 6 }), (changes) => {
      const bytes = whole.slice();
      for (const [at, value] of changes) bytes[at] = value;
      read(bytes);
    }),
    { numRuns: 3_000 },
  );
});
