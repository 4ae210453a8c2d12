// What is fuzzed: each decoder with seeds to damage, and what has to hold for any bytes at all.
import { isDeepStrictEqual } from 'node:util';
import { BfdState, BfdWireError, decodeControlPacket, encodeControlPacket } from '@calico/bfd-wire';
import {
  BmpError,
  BmpFramer,
  type BmpMessage,
  DEFAULT_CONTEXT,
  decodeMessage,
  decodeMrt,
  encodeBmp,
  encodeMessage,
  encodeMrt,
  MAX_EXTENDED_MESSAGE_LENGTH,
  MAX_MESSAGE_LENGTH,
  type Message,
  MessageFramer,
  MrtError,
  type MrtRecord,
  type Notification,
  ProtocolError,
  type Update,
  type WireContext,
} from '@calico/bgp-wire';
import { parseAddress, parsePrefix } from '@calico/ip';
import { sample } from 'fast-check';
import { goldens } from '../../packages/bgp-wire/testdata/goldens.ts';
import { anyMessage, contextOf, fromHex } from '../../packages/bgp-wire/testing.ts';
import { mutate, type Random } from './mutator.ts';
import { checkTable, LONG_UPDATES } from './table_target.ts';
import { namesNoRoutes, reasonToReset } from './update_oracle.ts';

export type Target = {
  readonly name: string;
  /** Out of all inputs, this many parts. */
  readonly share: number;
  readonly make: (random: Random) => Uint8Array;
  /** Whether the bytes were accepted. Throws for a fault of ours. */
  readonly check: (bytes: Uint8Array, random: Random) => boolean;
};

const HEADER = 19;
const LENGTH_AT = 16;
const TYPE_AT = 18;
const UPDATE = 2;

const CONTEXTS: readonly WireContext[] = [true, false].flatMap((fourOctetAs) =>
  ([[], [4, 6]] as const).flatMap((addPath) =>
    (['internal', 'external'] as const).map((peerKind) => ({
      ...DEFAULT_CONTEXT,
      fourOctetAs,
      addPath,
      peerKind,
    })),
  ),
);

export function goldenBytes(): readonly Uint8Array[] {
  return goldens.map(({ hex }) => fromHex(hex));
}

function messageSeeds(): readonly Uint8Array[] {
  const arbitrary = sample(anyMessage, { numRuns: 600, seed: 7606 }).flatMap(
    ({ message, context }) => {
      const bytes = encodeMessage(message, { ...context, extendedMessages: true });
      return bytes.length > 2_000 ? [] : [bytes];
    },
  );
  // The recorded ones as often as the arbitrary ones, which are longer and stranger.
  return [...Array.from({ length: 40 }, goldenBytes).flat(), ...arbitrary];
}

const messages = messageSeeds();
const updates = messages.filter((bytes) => bytes[TYPE_AT] === UPDATE);

/** One message: a header that fits, most of the time, so that the body is what gets judged. */
function makeMessage(random: Random, seeds: readonly Uint8Array[]): Uint8Array {
  const bytes = mutate(random, seeds, random.oneIn(50) ? 0 : HEADER);
  if (bytes.length < HEADER || random.oneIn(50)) return bytes;
  setU16(bytes, LENGTH_AT, bytes.length);
  if (bytes[TYPE_AT] === UPDATE && !random.oneIn(4)) fitAttributes(random, bytes);
  return bytes;
}

/** Makes the lengths inside of an UPDATE agree with it again, so that the attributes are read. */
function fitAttributes(random: Random, bytes: Uint8Array): void {
  if (bytes.length < HEADER + 4) return;
  const withdrawn = ((bytes[HEADER] as number) << 8) | (bytes[HEADER + 1] as number);
  const at = HEADER + 2 + withdrawn;
  if (at + 2 > bytes.length) return;
  const room = bytes.length - at - 2;
  const told = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (told > room || random.oneIn(4)) setU16(bytes, at, room);
}

function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value & 0xff;
}

/** A decoder answers, or throws its own error. */
function attempt<T>(
  decode: () => T,
  refusal: new (...parts: never[]) => Error,
): { readonly value: T } | undefined {
  try {
    return { value: decode() };
  } catch (cause) {
    if (cause instanceof refusal) return undefined;
    throw cause;
  }
}

/** As attempt(), of BGP: what is refused is answered, whatever length of messages was agreed on. */
function read<T>(decode: () => T): { readonly value: T } | undefined {
  try {
    return { value: decode() };
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    checkAnswer(cause.notification);
    return undefined;
  }
}

function checkAnswer(notification: Notification): void {
  for (const extendedMessages of [false, true]) {
    const context = { ...DEFAULT_CONTEXT, extendedMessages };
    const framer = new MessageFramer();
    if (extendedMessages) framer.allowExtendedMessages();
    framer.push(encodeMessage(notification, context));
    const frame = framer.next();
    const heard = frame === undefined ? undefined : decodeMessage(frame, context);
    const isSame =
      heard?.kind === 'notification' &&
      heard.code === notification.code &&
      heard.subcode === notification.subcode &&
      isDeepStrictEqual(heard.data, notification.data.slice(0, heard.data.length));
    if (!isSame) throw new Error('A refusal is not heard as it was said');
  }
}

/** As long as any message may be, or nearly: what is quoted of it has the least room. */
function makeLong(random: Random): Uint8Array {
  const longest = random.oneIn(16) ? MAX_EXTENDED_MESSAGE_LENGTH : MAX_MESSAGE_LENGTH;
  const bytes = new Uint8Array(longest - (random.oneIn(2) ? 0 : random.below(40)));
  // Zeros would be as many prefixes.
  bytes.fill(random.below(256));
  bytes.set(mutate(random, messages, HEADER).subarray(0, bytes.length));
  if (bytes[TYPE_AT] === UPDATE && random.oneIn(2)) fillAttribute(random, bytes);
  setU16(bytes, LENGTH_AT, bytes.length);
  return bytes;
}

/** Makes one attribute all that the UPDATE has. */
function fillAttribute(random: Random, bytes: Uint8Array): void {
  const room = bytes.length - HEADER - 4;
  setU16(bytes, HEADER, 0);
  setU16(bytes, HEADER + 2, room);
  bytes[HEADER + 4] = random.pick([0x10, 0x50, 0x90, 0xd0]);
  bytes[HEADER + 5] = random.below(256);
  setU16(bytes, HEADER + 6, room - 4);
}

function makeTable(random: Random): Uint8Array {
  return random.oneIn(400) ? random.pick(LONG_UPDATES) : makeMessage(random, updates);
}

function checkMessage(bytes: Uint8Array, random: Random): boolean {
  const context = random.pick(CONTEXTS);
  const framer = new MessageFramer();
  if (bytes.length > MAX_MESSAGE_LENGTH) framer.allowExtendedMessages();
  framer.push(bytes);
  const framed = read(() => framer.next());
  if (framed?.value === undefined) return false;
  const frame = framed.value;
  const decoded = read(() => decodeMessage(frame, context));
  if (frame.type === UPDATE) {
    const reason = reasonToReset(frame.body, context);
    const hasNoRoutes = reason === undefined && namesNoRoutes(frame.body);
    if (hasNoRoutes && decoded?.value.kind === 'update' && isFaulty(decoded.value)) {
      throw new Error('An UPDATE with a fault and without routes was accepted');
    }
    if (decoded === undefined && reason === undefined && !hasNoRoutes) {
      throw new Error('An UPDATE resets the session though RFC 7606 says to keep it');
    }
    if (decoded !== undefined && reason !== undefined) {
      throw new Error(`An UPDATE was accepted in spite of "${reason}"`);
    }
  }
  if (decoded === undefined) return false;
  if (random.oneIn(16)) checkRoundTrip(decoded.value, context);
  return true;
}

function isFaulty({ problems }: Update): boolean {
  return problems.some(({ treatment, type }) => treatment === 'treat-as-withdraw' && type !== 15);
}

/** What was understood without a fault can be said, and is understood the same again. */
function checkRoundTrip(message: Message, context: WireContext): void {
  if (message.kind === 'update' && !canBeSaid(message)) return;
  const said = { ...context, extendedMessages: true };
  const framer = new MessageFramer();
  framer.allowExtendedMessages();
  framer.push(encodeMessage(message, said));
  const frame = framer.next();
  if (frame === undefined) throw new Error('A message was encoded as a part of one');
  if (!isDeepStrictEqual(decodeMessage(frame, said), message)) {
    throw new Error(`A message of kind "${message.kind}" is not read as it was written`);
  }
}

/** Without faults, and without families that are not spoken here. */
function canBeSaid({ problems, reach, unreach }: Update): boolean {
  return problems.length === 0 && isSpoken(reach) && isSpoken(unreach);
}

function isSpoken(part: Update['reach'] | Update['unreach']): boolean {
  return part === undefined || part.family !== undefined;
}

/** A stream of messages in pieces gives the same frames, or the same refusal, as in one piece. */
function checkStream(bytes: Uint8Array, random: Random): boolean {
  const whole = framesOf([bytes]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random.below(60);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  const cut = framesOf(pieces);
  if (cut !== whole) throw new Error(`A stream in pieces is "${cut}", in one piece "${whole}"`);
  return !whole.endsWith('!');
}

function framesOf(pieces: readonly Uint8Array[]): string {
  const framer = new MessageFramer();
  let text = '';
  for (const piece of pieces) {
    framer.push(piece);
    for (;;) {
      const framed = read(() => framer.next());
      if (framed === undefined) return `${text}!`;
      if (framed.value === undefined) break;
      text += `${framed.value.type}:${framed.value.body.length} `;
    }
  }
  return text;
}

function makeStream(random: Random): Uint8Array {
  const parts = Array.from({ length: 1 + random.below(4) }, () =>
    random.oneIn(3) ? makeMessage(random, messages) : random.pick(messages),
  );
  return new Uint8Array(Buffer.concat(parts));
}

const PEER = {
  table: 'pre-policy' as const,
  address: parseAddress('192.0.2.1'),
  asn: 64_512,
  routerId: 1,
  timestamp: 1_700_000_000_000,
};
const [OPEN, ROUTES, CEASE] = ['OPEN as', 'UPDATE with every', 'NOTIFICATION'].map((start) => {
  const golden = goldens.find(({ name }) => name.startsWith(start));
  if (golden === undefined) throw new Error(`Cannot find golden "${start}"`);
  return { bytes: fromHex(golden.hex), message: golden.message, context: contextOf(golden) };
}) as [Seed, Seed, Seed];
type Seed = { bytes: Uint8Array; message: Message; context: WireContext };

const BMP: readonly BmpMessage[] = [
  { kind: 'initiation', name: 'k8s-node01', description: 'bgp' },
  { kind: 'termination', text: 'stops' },
  {
    kind: 'peer-up',
    peer: PEER,
    localAddress: parseAddress('2001:db8::2'),
    localPort: 179,
    remotePort: 40_000,
    sentOpen: OPEN.bytes,
    receivedOpen: OPEN.bytes,
    tableName: 'global',
  },
  { kind: 'peer-down', peer: { ...PEER, table: 'post-policy' }, reason: 3, data: CEASE.bytes },
  {
    kind: 'route-monitoring',
    peer: { ...PEER, table: 'loc-rib', address: undefined },
    update: ROUTES.bytes,
  },
  { kind: 'statistics', peer: PEER, values: [{ type: 7, value: 2 ** 33 }] },
];
const bmp = BMP.map(encodeBmp);

function makeBmp(random: Random): Uint8Array {
  const bytes = mutate(random, bmp, random.oneIn(20) ? 0 : 6);
  if (bytes.length >= 6 && !random.oneIn(20)) {
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(1, bytes.length);
  }
  return bytes;
}

function checkBmp(bytes: Uint8Array): boolean {
  const framer = new BmpFramer();
  framer.push(bytes);
  return attempt(() => framer.next(), BmpError)?.value !== undefined;
}

const { attributes } = ROUTES.message as Update;
const { nextHop, ...shared } = attributes;
const ENTRY = { peer: 0, originated: 1_700_000_000, attributes: shared, nextHop };
const MRT: readonly MrtRecord[] = [
  {
    kind: 'peers',
    timestamp: 1_700_000_000,
    routerId: 1,
    view: 'main',
    peers: ['192.0.2.1', '2001:db8::1'].map((text) => ({
      address: parseAddress(text),
      asn: 4_200_000_000,
      routerId: 2,
    })),
  },
  ...['10.1.0.0/16', '2001:db8::/32'].flatMap((text) =>
    [{}, { pathId: 7 }].map((pathId): MrtRecord => {
      const prefix = parsePrefix(text);
      const hop = prefix.family === 4 ? nextHop : parseAddress('2001:db8::1');
      const entries = [{ ...ENTRY, ...pathId, nextHop: hop }];
      return { kind: 'routes', timestamp: 1_700_000_000, sequence: 1, prefix, entries };
    }),
  ),
  {
    kind: 'message',
    timestamp: 1_700_000_001,
    peerAsn: 1,
    localAsn: 2,
    interfaceIndex: 0,
    family: 6,
    peerAddress: parseAddress('2001:db8::1'),
    localAddress: parseAddress('2001:db8::2'),
    message: ROUTES.bytes,
  },
];
const mrt = MRT.map(encodeMrt);

function makeMrt(random: Random): Uint8Array {
  const bytes = mutate(random, mrt, random.oneIn(20) ? 0 : 12);
  if (bytes.length >= 12 && !random.oneIn(20)) {
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(8, bytes.length - 12);
  }
  return bytes;
}

function checkMrt(bytes: Uint8Array): boolean {
  return attempt(() => [...decodeMrt(bytes)], MrtError) !== undefined;
}

const bfd = [BfdState.Down, BfdState.Init, BfdState.Up].map((state) =>
  encodeControlPacket({
    diagnostic: 0,
    state,
    isPoll: false,
    isFinal: false,
    isControlPlaneIndependent: false,
    hasAuthentication: false,
    isDemand: false,
    detectMultiplier: 3,
    myDiscriminator: 1,
    yourDiscriminator: 2,
    desiredMinTransmit: 300_000,
    requiredMinReceive: 300_000,
    requiredMinEchoReceive: 0,
  }),
);

function checkBfd(bytes: Uint8Array): boolean {
  const decoded = attempt(() => decodeControlPacket(bytes), BfdWireError);
  if (decoded === undefined) return false;
  if (decoded.value.hasAuthentication) return true;
  const again = decodeControlPacket(encodeControlPacket(decoded.value));
  if (!isDeepStrictEqual(again, decoded.value)) throw new Error('A BFD packet reads otherwise');
  return true;
}

export const TARGETS: readonly Target[] = [
  {
    name: 'UPDATE',
    share: 10,
    make: (random) => makeMessage(random, updates),
    check: checkMessage,
  },
  {
    name: 'any message',
    share: 4,
    make: (random) => makeMessage(random, messages),
    check: checkMessage,
  },
  {
    name: 'table',
    share: 1,
    make: makeTable,
    check: (bytes, random) => checkTable(bytes, random.oneIn(2)),
  },
  { name: 'long', share: 1, make: makeLong, check: checkMessage },
  { name: 'stream', share: 1, make: makeStream, check: checkStream },
  { name: 'BMP', share: 2, make: makeBmp, check: checkBmp },
  { name: 'MRT', share: 2, make: makeMrt, check: checkMrt },
  { name: 'BFD', share: 1, make: (random) => mutate(random, bfd, 0), check: checkBfd },
];
