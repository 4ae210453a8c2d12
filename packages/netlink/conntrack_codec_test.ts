import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { assert as check, property, uint8Array } from 'fast-check';
import { CtNetlink } from './conntrack.ts';
import { type Connection, decodeConnection } from './conntrack_codec.ts';
import { NetlinkDecodeError } from './errors.ts';
import { FakeLibc, messageBytes, type Step } from './fake_libc.ts';
import { AttributeCursor, bodyOf, MessageCursor } from './message_reader.ts';

// As a Linux 6.18 kernel sent them, made with conntrack -I.
const TRANSLATED =
  '020000003400018014000180080001000a410001080002000a6000021c0002800500010006000000060002009c40000006000300005000003400028014000180080001000a410007080002000a4100011c0002800500010006000000060002001f900000060003009c4000000800030000000008080008000000000508000c00dc4b81c908000b00000000010800070000000063300004802c000180050001000300000005000200000000000500030000000000060004000a000000060005000a0000001c001880080001000000000008000200000000000800030000000000';
const ECHO6 =
  '0a000000540001802c00018014000300fd00000000000000000000000000000114000400fd00000000000000000000000000000224000280050001003a00000006000700004d000005000800800000000500090000000000540002802c00018014000300fd00000000000000000000000000000214000400fd00000000000000000000000000000124000280050001003a00000006000700004d00000500080081000000050009000000000006001200000300000800030000000008080008000000000008000c007a24a7cb08000b000000000108000700000000631c001880080001000000000008000200000000000800030000000000';

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const read = (hex: string): Connection => {
  const found = decodeConnection(bodyOf(bytesOf(hex)));
  assert.ok(found);
  return found;
};

test('decodeConnection() reads both directions of a translated connection, status, mark and id', () => {
  assert.deepEqual(read(TRANSLATED), {
    original: {
      source: parseAddress('10.65.0.1'),
      destination: parseAddress('10.96.0.2'),
      protocol: 6,
      ports: { source: 40000, destination: 80 },
      icmp: undefined,
    },
    reply: {
      source: parseAddress('10.65.0.7'),
      destination: parseAddress('10.65.0.1'),
      protocol: 6,
      ports: { source: 8080, destination: 40000 },
      icmp: undefined,
    },
    status: 8,
    mark: 5,
    zone: 0,
    id: 0xdc4b81c9,
  });
});

test('decodeConnection() reads ICMPv6 and a zone', () => {
  const { original, reply, zone } = read(ECHO6);
  assert.deepEqual(original, {
    source: parseAddress('fd00::1'),
    destination: parseAddress('fd00::2'),
    protocol: 58,
    ports: undefined,
    icmp: { id: 77, type: 128, code: 0 },
  });
  assert.equal(reply.icmp?.type, 129);
  assert.equal(zone, 3);
});

function attempt(bytes: Uint8Array): void {
  try {
    decodeConnection(bodyOf(bytes));
  } catch (error) {
    assert.ok(error instanceof NetlinkDecodeError, String(error));
  }
}

test('decodeConnection() throws NetlinkDecodeError for whatever it cannot read', () => {
  for (const hex of [TRANSLATED, ECHO6]) {
    const bytes = bytesOf(hex);
    for (let length = 0; length < bytes.length; length += 1) attempt(bytes.slice(0, length));
  }
  check(property(uint8Array({ maxLength: 96 }), attempt), { numRuns: 20_000 });
});

/** Type and top attributes of each message. */
function messagesIn(bytes: Uint8Array): { type: number; attributes: Record<number, string> }[] {
  const found = [];
  const message = new MessageCursor(bytes);
  while (message.next()) {
    const cursor = new AttributeCursor(message.view, message.start + 4, message.end);
    const attributes: Record<number, string> = {};
    while (cursor.next()) attributes[cursor.type] = Buffer.from(cursor.bytes()).toString('hex');
    found.push({ type: message.type, attributes });
  }
  return found;
}

test('change() names the entry by tuple and zone, for a deletion by its id too', () => {
  const libc = new FakeLibc();
  const conntrack = new CtNetlink(libc);
  libc.answer = (bytes): Step[] => {
    const last = [...messagesIn(bytes)].length;
    return [{ bytes: messageBytes(2, 0, last, `00000000${'00'.repeat(16)}`) }];
  };
  const [translated, echo] = [read(TRANSLATED), read(ECHO6)];
  assert.deepEqual(
    conntrack.change([
      { kind: 'mark', connection: translated, bits: 0x10000, set: true },
      { kind: 'delete', connection: echo },
    ]),
    [],
  );
  const [mark, removal] = messagesIn(libc.sent[0] ?? new Uint8Array());
  // The original direction as it was received.
  const tuple = TRANSLATED.slice(16, 16 + 96);
  assert.deepEqual(mark, {
    type: 0x100,
    attributes: { 1: tuple, 8: '00010000', 21: '00010000' },
  });
  assert.equal(removal?.type, 0x102);
  assert.deepEqual([removal.attributes[18], removal.attributes[12]], ['0003', '7a24a7cb']);
});
