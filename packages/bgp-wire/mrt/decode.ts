import { type Address, addressFromBytes, type Family } from '@calico/ip';
import { AttributeDecoder } from '../attribute_decoder.ts';
import { ByteReader, ByteWriter, TruncatedError } from '../bytes.ts';
import { DEFAULT_CONTEXT } from '../context.ts';
import { ProtocolError } from '../errors.ts';
import { AttributeFlag, AttributeType } from '../iana.ts';
import { decodeNlriList, NlriError } from '../nlri.ts';
import {
  Bgp4MpSubtype,
  type MrtEnds,
  type MrtEntry,
  MrtError,
  type MrtPeer,
  type MrtRecord,
  MrtType,
  TableDumpSubtype,
} from './types.ts';

const IPV6_AFI = 2;

/** All records of a file, in order; those of other types and subtypes are left out. @throws MrtError */
export function* decodeMrt(bytes: Uint8Array): Generator<MrtRecord, void, undefined> {
  const file = new ByteReader(bytes);
  while (file.remaining > 0) {
    const record = orRefuse(() => {
      const [timestamp, type, subtype] = [file.u32(), file.u16(), file.u16()];
      return readRecord(timestamp, type, subtype, new ByteReader(file.bytes(file.u32())));
    });
    if (record !== undefined) yield record;
  }
}

function orRefuse<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const isExpected =
      cause instanceof TruncatedError ||
      cause instanceof NlriError ||
      cause instanceof ProtocolError;
    if (!isExpected) throw cause;
    throw new MrtError(`Cannot read MRT record: ${cause.message}`, { cause });
  }
}

function readRecord(
  timestamp: number,
  type: number,
  subtype: number,
  body: ByteReader,
): MrtRecord | undefined {
  if (type === MrtType.Bgp4Mp) return readSessionRecord(timestamp, subtype, body);
  if (type !== MrtType.TableDumpV2) return undefined;
  switch (subtype) {
    case TableDumpSubtype.PeerIndexTable:
      return readPeers(timestamp, body);
    case TableDumpSubtype.RibIpv4Unicast:
      return readRoutes(timestamp, body, 4, false);
    case TableDumpSubtype.RibIpv6Unicast:
      return readRoutes(timestamp, body, 6, false);
    case TableDumpSubtype.RibIpv4UnicastAddPath:
      return readRoutes(timestamp, body, 4, true);
    case TableDumpSubtype.RibIpv6UnicastAddPath:
      return readRoutes(timestamp, body, 6, true);
    default:
      return undefined;
  }
}

function readPeers(timestamp: number, body: ByteReader): MrtRecord {
  const routerId = body.u32();
  const view = new TextDecoder().decode(body.bytes(body.u16()));
  const peers = Array.from({ length: body.u16() }, (): MrtPeer => {
    const type = body.u8();
    const id = body.u32();
    const address = addressFromBytes(body.bytes((type & 1) === 0 ? 4 : 16));
    return { address, asn: (type & 2) === 0 ? body.u16() : body.u32(), routerId: id };
  });
  return { kind: 'peers', timestamp, routerId, view, peers };
}

function readRoutes(
  timestamp: number,
  body: ByteReader,
  family: Family,
  hasPathIds: boolean,
): MrtRecord {
  const sequence = body.u32();
  const length = body.u8();
  const octets = body.bytes((length + 7) >>> 3);
  const nlri = new ByteReader(new ByteWriter().u8(length).bytes(octets).finish());
  const [first] = decodeNlriList(nlri, family, false);
  if (first === undefined) throw new MrtError('Cannot read MRT record: it has no prefix');
  const entries = Array.from({ length: body.u16() }, (): MrtEntry => {
    const [peer, originated] = [body.u16(), body.u32()];
    const pathId = hasPathIds ? { pathId: body.u32() } : {};
    return { peer, originated, ...pathId, ...readAttributes(body.bytes(body.u16())) };
  });
  return { kind: 'routes', timestamp, sequence, prefix: first.prefix, entries };
}

function readAttributes(bytes: Uint8Array): Pick<MrtEntry, 'attributes' | 'nextHop'> {
  const { rest, reach } = withoutReach(bytes);
  const { attributes, nextHop } = new AttributeDecoder(DEFAULT_CONTEXT).decode(rest);
  return { attributes, nextHop: reach ?? nextHop };
}

/** MP_REACH_NLRI is shortened here, so it is read apart from the others. */
function withoutReach(bytes: Uint8Array): { rest: Uint8Array; reach: Address | undefined } {
  const reader = new ByteReader(bytes);
  const rest = new ByteWriter(bytes.length);
  let reach: Address | undefined;
  while (reader.remaining > 0) {
    const from = reader.position;
    const flags = reader.u8();
    const type = reader.u8();
    const value = reader.bytes(
      (flags & AttributeFlag.ExtendedLength) === 0 ? reader.u8() : reader.u16(),
    );
    if (type === AttributeType.MpReach) reach = readNextHop(value);
    else rest.bytes(bytes.subarray(from, reader.position));
  }
  return { rest: rest.finish(), reach };
}

/** Some programs write the whole attribute: it then begins with the AFI, whose first octet is 0. */
function readNextHop(value: Uint8Array): Address | undefined {
  const reader = new ByteReader(value);
  if (value[0] === 0) reader.bytes(3);
  const nextHop = reader.bytes(reader.u8());
  if (nextHop.length === 4) return addressFromBytes(nextHop);
  return nextHop.length >= 16 ? addressFromBytes(nextHop.slice(0, 16)) : undefined;
}

function readSessionRecord(
  timestamp: number,
  subtype: number,
  body: ByteReader,
): MrtRecord | undefined {
  if (subtype === Bgp4MpSubtype.StateChangeAs4) {
    const ends = readEnds(body, false);
    return { kind: 'state-change', timestamp, ...ends, from: body.u16(), to: body.u16() };
  }
  const form = FORMS[subtype];
  return form === undefined ? undefined : readMessage(timestamp, body, form);
}

type Form = {
  readonly isLocal?: true;
  readonly hasTwoOctetAs?: true;
  readonly hasPathIds?: true;
};

const LOCAL = { isLocal: true } as const;
const TWO = { hasTwoOctetAs: true } as const;
const PATHS = { hasPathIds: true } as const;
const FORMS: Readonly<Record<number, Form>> = {
  [Bgp4MpSubtype.MessageAs4]: {},
  [Bgp4MpSubtype.Message]: TWO,
  [Bgp4MpSubtype.MessageAs4AddPath]: PATHS,
  [Bgp4MpSubtype.MessageAddPath]: { ...TWO, ...PATHS },
  [Bgp4MpSubtype.MessageAs4Local]: LOCAL,
  [Bgp4MpSubtype.MessageLocal]: { ...LOCAL, ...TWO },
  [Bgp4MpSubtype.MessageAs4LocalAddPath]: { ...LOCAL, ...PATHS },
  [Bgp4MpSubtype.MessageLocalAddPath]: { ...LOCAL, ...TWO, ...PATHS },
};

function readMessage(timestamp: number, body: ByteReader, form: Form): MrtRecord {
  const ends = readEnds(body, form.hasTwoOctetAs === true);
  return { kind: 'message', timestamp, ...ends, ...form, message: Uint8Array.from(body.rest()) };
}

function readEnds(body: ByteReader, hasTwoOctetAs: boolean): MrtEnds {
  const peerAsn = hasTwoOctetAs ? body.u16() : body.u32();
  const localAsn = hasTwoOctetAs ? body.u16() : body.u32();
  const interfaceIndex = body.u16();
  const family = body.u16() === IPV6_AFI ? 6 : 4;
  const length = family === 6 ? 16 : 4;
  const peerAddress = addressFromBytes(body.bytes(length));
  const localAddress = addressFromBytes(body.bytes(length));
  return { peerAsn, localAsn, interfaceIndex, family, peerAddress, localAddress };
}
