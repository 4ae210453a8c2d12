import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import * as fc from 'fast-check';
import { DEFAULT_CONTEXT } from '../context.ts';
import { encodeMessage } from '../message.ts';
import { encodeWithdrawal } from '../packing.ts';
import { BmpFramer, decodeBmp } from './decode.ts';
import { encodeBmp } from './encode.ts';
import { BmpError, type BmpMessage, type BmpPeer, PeerDownReason } from './types.ts';

const PEER: BmpPeer = {
  table: 'post-policy',
  address: parseAddress('192.0.2.1'),
  asn: 4_200_000_000,
  routerId: 0xc0000201,
  timestamp: 1_700_000_000_123,
};
const OPEN = encodeMessage({
  kind: 'open',
  asn: 64_512,
  holdTimeSeconds: 90,
  routerId: 1,
  capabilities: [{ kind: 'four-octet-as', asn: 64_512 }],
});
const UPDATE = encodeWithdrawal(
  4,
  [{ prefix: parsePrefix('10.0.0.0/8') }],
  DEFAULT_CONTEXT,
)[0] as Uint8Array;

const MESSAGES: readonly BmpMessage[] = [
  { kind: 'initiation', name: 'k8s-node01', description: 'bgp 1.0' },
  { kind: 'termination', text: 'stops' },
  {
    kind: 'peer-up',
    peer: PEER,
    localAddress: parseAddress('192.0.2.2'),
    localPort: 0,
    remotePort: 179,
    sentOpen: OPEN,
    receivedOpen: OPEN,
  },
  {
    kind: 'peer-up',
    peer: { ...PEER, table: 'loc-rib', address: undefined },
    localAddress: undefined,
    localPort: 0,
    remotePort: 0,
    sentOpen: OPEN,
    receivedOpen: OPEN,
    tableName: 'global',
  },
  {
    kind: 'peer-down',
    peer: { ...PEER, table: 'pre-policy', address: parseAddress('2001:db8::1') },
    reason: PeerDownReason.LocalWithoutNotification,
    data: Uint8Array.of(0, 0),
  },
  { kind: 'route-monitoring', peer: PEER, update: UPDATE },
  {
    kind: 'statistics',
    peer: PEER,
    values: [
      { type: 0, value: 7 },
      { type: 7, value: 2 ** 33 },
    ],
  },
];

test('every message is read back as it was written, in pieces of any size', () => {
  const stream = Buffer.concat(MESSAGES.map((message) => encodeBmp(message)));
  for (const size of [1, 7, 100, stream.length]) {
    const framer = new BmpFramer();
    const read: BmpMessage[] = [];
    for (let at = 0; at < stream.length; at += size) {
      framer.push(stream.subarray(at, at + size));
      for (let next = framer.next(); next !== undefined; next = framer.next()) read.push(next);
    }
    assert.deepEqual(read, MESSAGES);
  }
});

test('the initiation as RFC 7854 sections 4.1, 4.3 and 4.4 lay it out', () => {
  const bytes = encodeBmp({ kind: 'initiation', name: 'n', description: 'd' });
  assert.equal(Buffer.from(bytes).toString('hex'), '0300000010040001000164000200016e');
});

test('the per-peer header as section 4.2 lays it out', () => {
  const bytes = encodeBmp({ kind: 'route-monitoring', peer: PEER, update: UPDATE });
  const header = Buffer.from(bytes.subarray(6, 48)).toString('hex');
  const address = `${'00'.repeat(12)}c0000201`;
  assert.equal(header, `0040${'00'.repeat(8)}${address}fa56ea00c00002016553f1000001e078`);
});

test('every truncation and arbitrary bytes are refused with a BmpError', () => {
  for (const message of MESSAGES.slice(2)) {
    const bytes = encodeBmp(message);
    for (let length = 6; length < bytes.length; length++) {
      try {
        decodeBmp(bytes.subarray(0, length));
      } catch (cause) {
        assert.ok(cause instanceof BmpError);
      }
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 120 }), (bytes) => {
      bytes[5] = (bytes[5] as number) % 7;
      try {
        decodeBmp(bytes);
      } catch (cause) {
        assert.ok(cause instanceof BmpError);
      }
    }),
    { numRuns: 3_000 },
  );
});
