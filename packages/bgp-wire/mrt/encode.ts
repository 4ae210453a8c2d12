import { addressBytes } from '@calico/ip';
import { encodeAttributes } from '../attribute_encoder.ts';
import { ByteWriter } from '../bytes.ts';
import { afiOf, DEFAULT_CONTEXT } from '../context.ts';
import { AS_TRANS, AttributeFlag, AttributeType } from '../iana.ts';
import { encodeNlri } from '../nlri.ts';
import {
  Bgp4MpSubtype,
  type MrtEnds,
  type MrtEntry,
  MrtError,
  type MrtRecord,
  MrtType,
  TableDumpSubtype,
} from './types.ts';

const HEADER_LENGTH = 12;
const PEER_HAS_IPV6 = 0x01;
const PEER_HAS_FOUR_OCTET_AS = 0x02;

const LONGEST_ATTRIBUTES = 0xffff;

/**
 * Whether a record can hold the entry: a set of attributes that has filled a message with AS numbers of two
 * octets may be too long with those of four.
 */
export function fitsMrt(entry: MrtEntry): boolean {
  return entryAttributes(entry).length <= LONGEST_ATTRIBUTES;
}

/** A whole record. @throws MrtError for an entry that does not fit */
export function encodeMrt(record: MrtRecord): Uint8Array {
  const body = new ByteWriter();
  switch (record.kind) {
    case 'peers': {
      const view = new TextEncoder().encode(record.view);
      body.u32(record.routerId).u16(view.length).bytes(view).u16(record.peers.length);
      for (const { address, asn, routerId } of record.peers) {
        body.u8(PEER_HAS_FOUR_OCTET_AS | (address.family === 6 ? PEER_HAS_IPV6 : 0));
        body.u32(routerId).bytes(addressBytes(address)).u32(asn);
      }
      return frame(record.timestamp, MrtType.TableDumpV2, TableDumpSubtype.PeerIndexTable, body);
    }
    case 'routes': {
      const hasPathIds = record.entries.some(({ pathId }) => pathId !== undefined);
      body.u32(record.sequence);
      encodeNlri(body, { prefix: record.prefix }, false);
      body.u16(record.entries.length);
      for (const entry of record.entries) writeEntry(body, entry, hasPathIds);
      const subtype = ribSubtype(record.prefix.family === 6, hasPathIds);
      return frame(record.timestamp, MrtType.TableDumpV2, subtype, body);
    }
    case 'message': {
      const { timestamp, message, hasTwoOctetAs = false, hasPathIds = false } = record;
      writeEnds(body, record, hasTwoOctetAs);
      const subtype = messageSubtype(hasTwoOctetAs, hasPathIds, record.isLocal === true);
      return frame(timestamp, MrtType.Bgp4Mp, subtype, body.bytes(message));
    }
    case 'state-change':
      writeEnds(body, record, false);
      body.u16(record.from).u16(record.to);
      return frame(record.timestamp, MrtType.Bgp4Mp, Bgp4MpSubtype.StateChangeAs4, body);
    default:
      return record satisfies never;
  }
}

function writeEntry(body: ByteWriter, entry: MrtEntry, hasPathIds: boolean): void {
  const attributes = entryAttributes(entry);
  if (attributes.length > LONGEST_ATTRIBUTES) {
    throw new MrtError(
      `Cannot write MRT record: attributes of "${attributes.length}" octets, at most ${LONGEST_ATTRIBUTES}`,
    );
  }
  body.u16(entry.peer).u32(entry.originated);
  if (hasPathIds) body.u32(entry.pathId ?? 0);
  body.u16(attributes.length).bytes(attributes);
}

/** Section 4.3.4: AS numbers have four octets; of MP_REACH_NLRI only the next hop is kept. */
function entryAttributes({ attributes, nextHop }: MrtEntry): Uint8Array {
  if (nextHop === undefined) return encodeAttributes(attributes, DEFAULT_CONTEXT);
  if (nextHop.family === 4) return encodeAttributes({ ...attributes, nextHop }, DEFAULT_CONTEXT);
  const bytes = addressBytes(nextHop);
  return new ByteWriter()
    .u8(AttributeFlag.Optional)
    .u8(AttributeType.MpReach)
    .u8(1 + bytes.length)
    .u8(bytes.length)
    .bytes(bytes)
    .bytes(encodeAttributes(attributes, DEFAULT_CONTEXT))
    .finish();
}

function writeEnds(body: ByteWriter, ends: MrtEnds, hasTwoOctetAs: boolean): void {
  for (const asn of [ends.peerAsn, ends.localAsn]) {
    if (hasTwoOctetAs) body.u16(asn > 0xffff ? AS_TRANS : asn);
    else body.u32(asn);
  }
  body.u16(ends.interfaceIndex).u16(afiOf(ends.family));
  body.bytes(addressBytes(ends.peerAddress)).bytes(addressBytes(ends.localAddress));
}

function messageSubtype(hasTwoOctetAs: boolean, hasPathIds: boolean, isLocal: boolean): number {
  const { Message, MessageAs4, MessageAddPath, MessageAs4AddPath } = Bgp4MpSubtype;
  const { MessageLocal, MessageAs4Local, MessageLocalAddPath, MessageAs4LocalAddPath } =
    Bgp4MpSubtype;
  if (hasPathIds && isLocal) return hasTwoOctetAs ? MessageLocalAddPath : MessageAs4LocalAddPath;
  if (hasPathIds) return hasTwoOctetAs ? MessageAddPath : MessageAs4AddPath;
  if (isLocal) return hasTwoOctetAs ? MessageLocal : MessageAs4Local;
  return hasTwoOctetAs ? Message : MessageAs4;
}

function ribSubtype(isIpv6: boolean, hasPathIds: boolean): number {
  const { RibIpv4Unicast, RibIpv6Unicast, RibIpv4UnicastAddPath, RibIpv6UnicastAddPath } =
    TableDumpSubtype;
  if (hasPathIds) return isIpv6 ? RibIpv6UnicastAddPath : RibIpv4UnicastAddPath;
  return isIpv6 ? RibIpv6Unicast : RibIpv4Unicast;
}

function frame(timestamp: number, type: number, subtype: number, body: ByteWriter): Uint8Array {
  return new ByteWriter(HEADER_LENGTH + body.position)
    .u32(timestamp)
    .u16(type)
    .u16(subtype)
    .u32(body.position)
    .bytes(body.finish())
    .finish();
}
