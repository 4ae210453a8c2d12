// Decoders over bytes that nobody meant to send, often enough that the compiled code is what is tested.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, constantFrom, property, uint8Array } from 'fast-check';
import { decodeAnswer, decodeDumpEnd } from './answer_codec.ts';
import { NetlinkDecodeError } from './errors.ts';
import { decodeEvent } from './event_codec.ts';
import { ADDRESSES, FDB, LINKS, NEIGHBOURS, ROUTES, RULES } from './goldens.ts';
import { MessageCursor } from './message_reader.ts';
import { MessageWriter } from './message_writer.ts';
import { decodeFdbEntry } from './neighbour_codec.ts';
import { writeRequest } from './request_codec.ts';
import { decodeRoute } from './route_codec.ts';
import type { Route } from './types.ts';
import { RTM } from './uapi.ts';

const RUNS = 100_000;

function readAll(datagram: Uint8Array): void {
  try {
    const message = new MessageCursor(datagram);
    while (message.next()) {
      decodeEvent(message);
      decodeFdbEntry(message);
      decodeAnswer(message);
      decodeDumpEnd(message);
    }
  } catch (error) {
    assert.ok(error instanceof NetlinkDecodeError, String(error));
  }
}

function messageOf(type: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  bytes.set(body, 16);
  return bytes;
}

test('a datagram of arbitrary bytes decodes or throws NetlinkDecodeError', () => {
  check(
    property(uint8Array({ maxLength: 64 }), (bytes) => readAll(bytes)),
    { numRuns: RUNS },
  );
});

test('a message of each type with an arbitrary body decodes or throws NetlinkDecodeError', () => {
  const types = constantFrom(16, 17, 20, 21, 24, 25, 28, 29, 32, 33, 2, 3, 99);
  check(
    property(types, uint8Array({ maxLength: 96 }), (type, body) => readAll(messageOf(type, body))),
    { numRuns: RUNS },
  );
});

// A small generator of its own: flipping a few bytes of a long message is what finds wrong bounds.
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }
}

test('recorded messages with flipped bytes decode or throw NetlinkDecodeError', () => {
  const recorded = [
    ...LINKS.map(({ hex }) => [RTM.NEWLINK, hex] as const),
    ...ADDRESSES.map(({ hex }) => [RTM.NEWADDR, hex] as const),
    ...ROUTES.map(({ hex }) => [RTM.NEWROUTE, hex] as const),
    ...NEIGHBOURS.map(({ hex }) => [RTM.NEWNEIGH, hex] as const),
    ...FDB.map(({ hex }) => [RTM.NEWNEIGH, hex] as const),
    ...RULES.map(({ hex }) => [RTM.NEWRULE, hex] as const),
  ].map(([type, hex]) => messageOf(type, new Uint8Array(Buffer.from(hex, 'hex'))));
  const random = new Random(1);
  for (let run = 0; run < RUNS; run += 1) {
    const bytes = (recorded[run % recorded.length] ?? new Uint8Array()).slice();
    for (let flips = 1 + random.below(4); flips > 0; flips -= 1) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    readAll(bytes);
  }
});

test('routes written 100,000 times over in a batch read back the same', () => {
  const random = new Random(2);
  const writer = new MessageWriter(64);
  for (let batch = 0; batch < RUNS / 100; batch += 1) {
    const routes: Route[] = Array.from({ length: 100 }, () => arbitraryRoute(random));
    writer.reset();
    for (const [index, route] of routes.entries()) {
      writeRequest(writer, { kind: 'route', action: 'replace', route }, index);
    }
    const cursor = new MessageCursor(writer.bytes);
    for (const route of routes) {
      assert.ok(cursor.next());
      assert.deepEqual(decodeRoute(cursor), route);
    }
    assert.equal(cursor.next(), false);
  }
});

function arbitraryRoute(random: Random): Route {
  const length = random.below(33);
  const bits = BigInt(random.below(2 ** 32));
  const value = length === 0 ? 0n : (bits >> BigInt(32 - length)) << BigInt(32 - length);
  const count = random.below(4);
  return {
    destination: { family: 4, value, length },
    type: count === 0 ? 'blackhole' : 'unicast',
    table: random.below(2) === 0 ? 254 : 1 + random.below(100_000),
    protocol: random.below(256),
    scope: random.below(2) === 0 ? 'link' : 'global',
    ...(random.below(2) === 0 && { metric: 1 + random.below(2 ** 31) }),
    ...(random.below(3) === 0 && { mtu: 68 + random.below(9000) }),
    nextHops: Array.from({ length: count }, () => ({
      gateway: { family: 4, value: BigInt(random.below(2 ** 32)) },
      interfaceIndex: 1 + random.below(2 ** 30),
      ...(random.below(2) === 0 && { onlink: true }),
      ...(count > 1 && { weight: 1 + random.below(256) }),
    })),
  };
}
