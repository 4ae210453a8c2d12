import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeInterfaceAddress } from './address_codec.ts';
import { decodeAnswer, decodeDumpEnd } from './answer_codec.ts';
import { NetlinkDecodeError } from './errors.ts';
import { ADDRESSES, FDB, type Golden, LINKS, NEIGHBOURS, ROUTES, RULES } from './goldens.ts';
import { decodeLink } from './link_codec.ts';
import { type Body, bodyOf, MessageCursor } from './message_reader.ts';
import { MessageWriter } from './message_writer.ts';
import { decodeFdbEntry, decodeNeighbour } from './neighbour_codec.ts';
import { decodeNextHops } from './next_hop_codec.ts';
import { writeRequest } from './request_codec.ts';
import { decodeRoute } from './route_codec.ts';
import { decodeRule } from './rule_codec.ts';
import type { Request } from './types.ts';

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

const DECODERS: readonly [string, (body: Body) => unknown, readonly Golden<unknown>[]][] = [
  ['decodeLink', decodeLink, LINKS],
  ['decodeInterfaceAddress', decodeInterfaceAddress, ADDRESSES],
  ['decodeRoute', (body) => decodeRoute(body), ROUTES],
  ['decodeNeighbour', decodeLiveNeighbour, NEIGHBOURS],

  ['decodeFdbEntry', decodeFdbEntry, FDB],
  ['decodeRule', decodeRule, RULES],
];

for (const [name, decode, goldens] of DECODERS) {
  for (const { made, hex, value } of goldens) {
    test(`${name}() reads what the kernel sends after: ${made}`, () => {
      assert.deepEqual(decode(bodyOf(bytesOf(hex))), value);
    });
    test(`${name}() survives every truncation of: ${made}`, () => {
      const bytes = bytesOf(hex);
      for (let length = 0; length < bytes.length; length += 1) {
        try {
          decode(bodyOf(bytes.slice(0, length)));
        } catch (error) {
          assert.ok(error instanceof NetlinkDecodeError, `${length} bytes: ${String(error)}`);
        }
      }
    });
  }
}

function decodeLiveNeighbour(body: Body): unknown {
  return decodeNeighbour(body);
}

function decodeWritten(request: Request, decode: (body: Body) => unknown): unknown {
  const writer = new MessageWriter();
  writeRequest(writer, request, 1);
  const message = new MessageCursor(writer.bytes);
  assert.ok(message.next());
  const value = decode(message);
  assert.equal(message.next(), false);
  return value;
}

test('what writeRequest() writes reads back the same', () => {
  for (const { value } of ROUTES) {
    const request = { kind: 'route', action: 'add', route: value } as const;
    assert.deepEqual(decodeWritten(request, decodeRoute), value);
  }
  for (const { value } of RULES) {
    const request = { kind: 'rule', action: 'add', rule: value } as const;
    assert.deepEqual(decodeWritten(request, decodeRule), value);
  }
  for (const { value } of ADDRESSES) {
    const request = { kind: 'address', action: 'add', address: value } as const;
    assert.deepEqual(decodeWritten(request, decodeInterfaceAddress), value);
  }
  for (const { value } of NEIGHBOURS) {
    const request = { kind: 'neighbour', action: 'replace', neighbour: value } as const;
    assert.deepEqual(decodeWritten(request, decodeLiveNeighbour), value);
  }
  for (const { value } of FDB) {
    const request = { kind: 'fdb', action: 'replace', entry: value } as const;
    assert.deepEqual(decodeWritten(request, decodeFdbEntry), value);
  }
});

test('a route through a gateway of the other family reads back the same', () => {
  const route = {
    destination: { family: 4, value: 0x0a090000n, length: 16 },
    type: 'unicast',
    table: 254,
    protocol: 12,
    scope: 'global',
    nextHops: [
      { gateway: { family: 6, value: 0xfe800000000000000000000000000001n }, interfaceIndex: 3 },
    ],
  } as const;
  assert.deepEqual(decodeWritten({ kind: 'route', action: 'add', route }, decodeRoute), route);
});

test('decodeNeighbour() reads a deleted entry that has lost its MAC', () => {
  const body = bodyOf(bytesOf('020000000400000020000001080001000af455c0'));
  assert.equal(decodeNeighbour(body), undefined);
  assert.deepEqual(decodeNeighbour(body, true), {
    interfaceIndex: 4,
    address: { family: 4, value: 0x0af455c0n },
    mac: '',
    permanent: false,
  });
});

test('decodeInterfaceAddress() tells secondary and transient addresses', () => {
  const body = bytesOf(ADDRESSES[0]?.hex ?? '');
  body[body.length - 28 + 4] = 0x81;
  assert.equal(decodeInterfaceAddress(bodyOf(body))?.secondary, true);
  const tentative = `0a40c0000300000014000100${'fd'.repeat(16)}08000800c0000000`;
  assert.equal(decodeInterfaceAddress(bodyOf(bytesOf(tentative)))?.transient, true);
});

test('decodeRoute() tells next hops that are dead or without a carrier, one as well as several', () => {
  for (const flag of [0x01, 0x10]) {
    const one = bytesOf(ROUTES[1]?.hex ?? '');
    one[8] = flag;
    assert.deepEqual(
      decodeRoute(bodyOf(one))?.nextHops.map(({ down }) => down),
      [true],
    );
    const hops = bytesOf('0800100003000000080010000400000008000000050000000800040006000000');
    hops[2] = hops[10] = flag;
    assert.deepEqual(
      decodeNextHops(bodyOf(hops), 4).map(({ down }) => down),
      [true, true, undefined, undefined],
    );
  }
});

test('decodeRoute() leaves out cache entries and types that are not routes to a destination', () => {
  const body = bytesOf(ROUTES[1]?.hex ?? '');
  body[9] = 0x02;
  assert.equal(decodeRoute(bodyOf(body)), undefined);
  assert.equal(decodeRoute(bodyOf(body), { cloned: true })?.protocol, 12);
  body[9] = 0;
  body[7] = 5;
  assert.equal(decodeRoute(bodyOf(body)), undefined);
});

test('decodeRoute() refuses a destination longer than its family', () => {
  const body = bytesOf(ROUTES[1]?.hex ?? '');
  body[1] = 33;
  assert.throws(() => decodeRoute(bodyOf(body)), NetlinkDecodeError);
});

// Refused: ip route add 10.9.0.0/16 via 1.2.3.4 dev ens33, with NETLINK_CAP_ACK and NETLINK_EXT_ACK.
test('decodeAnswer() gives the name of the errno and the text of the kernel', () => {
  const text = Buffer.from('Nexthop has invalid gateway\0').toString('hex');
  const hex = `9bffffff3400000018000506090000000000000020000100${text}`;
  const body = bodyOf(bytesOf(hex));
  assert.deepEqual(decodeAnswer({ ...body, flags: 0x300 }), {
    code: 'ENETUNREACH',
    message: 'Nexthop has invalid gateway',
  });
  assert.deepEqual(decodeAnswer({ ...body, flags: 0x100 }), { code: 'ENETUNREACH', message: '' });
});

test('decodeAnswer() takes errno 0 for success', () => {
  const body = bodyOf(bytesOf('0000000034000000180005060900000000000000'));
  assert.deepEqual(decodeAnswer({ ...body, flags: 0x100 }), { code: undefined, message: '' });
});

test('decodeDumpEnd() gives the failure that ended a dump', () => {
  const failed = bodyOf(bytesOf('feffffff'));
  assert.equal(decodeDumpEnd({ ...failed, flags: 2 }).code, 'ENOENT');
  const done = bodyOf(bytesOf('00000000'));
  assert.equal(decodeDumpEnd({ ...done, flags: 2 }).code, undefined);
});
