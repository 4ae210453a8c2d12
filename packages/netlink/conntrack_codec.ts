// Entries of connection tracking: struct nfgenmsg and CTA_* attributes, numbers in network order.
// Linux: include/uapi/linux/netfilter/nfnetlink_conntrack.h
import type { Address, Family } from '@calico/ip';
import { NetlinkDecodeError } from './errors.ts';
import { AttributeCursor, afterHeader, type Body, familyOf } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import { AF } from './uapi.ts';

/** One direction of a connection as its packets carry it. */
export type ConnectionTuple = {
  readonly source: Address;
  readonly destination: Address;
  /** IANA number. */
  readonly protocol: number;
  /** Undefined for a protocol without ports. */
  readonly ports: { readonly source: number; readonly destination: number } | undefined;
  /** Of ICMP and ICMPv6 only. */
  readonly icmp: { readonly id: number; readonly type: number; readonly code: number } | undefined;
};

export type Connection = {
  /** As the first packet had it. */
  readonly original: ConnectionTuple;
  /** As answers have it: differs from `original` turned round where addresses are translated. */
  readonly reply: ConnectionTuple;
  /** IPS_* bits. */
  readonly status: number;
  readonly mark: number;
  readonly zone: number;
  /** Tells this entry from a later one with the same tuples. */
  readonly id: number;
};

export type ConnectionChange =
  | { readonly kind: 'delete'; readonly connection: Connection }
  /** Sets or clears bits of the mark. */
  | {
      readonly kind: 'mark';
      readonly connection: Connection;
      readonly bits: number;
      readonly set: boolean;
    };

export const CONNTRACK_MESSAGE = { NEW: 0x100, GET: 0x101, DELETE: 0x102 } as const;

const CTA = { ORIGINAL: 1, REPLY: 2, STATUS: 3, MARK: 8, ID: 12, ZONE: 18, MARK_MASK: 21 } as const;
const CTA_FILTER = { ATTRIBUTE: 25, ORIGINAL_FLAGS: 1, REPLY_FLAGS: 2 } as const;
const FILTER_BY = { source: 1, destination: 2 } as const;
const TUPLE = { IP: 1, PROTOCOL: 2 } as const;
const IP = { V4_SRC: 1, V4_DST: 2, V6_SRC: 3, V6_DST: 4 } as const;
const PROTOCOL = { NUMBER: 1, SOURCE: 2, DESTINATION: 3 } as const;
/** CTA_PROTO_ICMP_ID, _TYPE, _CODE and the same for ICMPv6. */
const ICMP = { 4: { ID: 4, TYPE: 5, CODE: 6 }, 6: { ID: 7, TYPE: 8, CODE: 9 } } as const;

/** IPCTNL_MSG_CT_NEW; undefined for families other than IPv4 and IPv6. */
export function decodeConnection(body: Body): Connection | undefined {
  const attributesAt = afterHeader(body, 4, 'connection');
  const family = familyOf(body.view.getUint8(body.start));
  if (family === undefined) return undefined;
  const attributes = new AttributeCursor(body.view, attributesAt, body.end);
  const found = { status: 0, mark: 0, zone: 0, id: 0 };
  let original: ConnectionTuple | undefined;
  let reply: ConnectionTuple | undefined;
  while (attributes.next()) {
    if (attributes.type === CTA.ORIGINAL) original = decodeTuple(attributes.nested(), family);
    else if (attributes.type === CTA.REPLY) reply = decodeTuple(attributes.nested(), family);
    else if (attributes.type === CTA.STATUS) found.status = attributes.u32be();
    else if (attributes.type === CTA.MARK) found.mark = attributes.u32be();
    else if (attributes.type === CTA.ZONE) found.zone = attributes.u16be();
    else if (attributes.type === CTA.ID) found.id = attributes.u32be();
  }
  if (original === undefined || reply === undefined) {
    throw new NetlinkDecodeError('Cannot decode connection: a direction is missing');
  }
  return { original, reply, ...found };
}

function decodeTuple(attributes: AttributeCursor, family: Family): ConnectionTuple {
  let addresses: { source: Address; destination: Address } | undefined;
  let rest: Omit<ConnectionTuple, 'source' | 'destination'> | undefined;
  while (attributes.next()) {
    if (attributes.type === TUPLE.IP) addresses = decodeAddresses(attributes.nested(), family);
    else if (attributes.type === TUPLE.PROTOCOL) {
      rest = decodeProtocol(attributes.nested(), family);
    }
  }
  if (addresses === undefined || rest === undefined) {
    throw new NetlinkDecodeError('Cannot decode connection: addresses or protocol are missing');
  }
  return { ...addresses, ...rest };
}

function decodeAddresses(attributes: AttributeCursor, family: Family) {
  const zero: Address = { family, value: 0n };
  const found = { source: zero, destination: zero };
  const [source, destination] = family === 4 ? [IP.V4_SRC, IP.V4_DST] : [IP.V6_SRC, IP.V6_DST];
  while (attributes.next()) {
    if (attributes.type === source) found.source = attributes.address(family);
    else if (attributes.type === destination) found.destination = attributes.address(family);
  }
  return found;
}

function decodeProtocol(
  attributes: AttributeCursor,
  family: Family,
): Omit<ConnectionTuple, 'source' | 'destination'> {
  const { ID, TYPE, CODE } = ICMP[family];
  const ports = { source: 0, destination: 0 };
  const icmp = { id: 0, type: 0, code: 0 };
  let protocol = 0;
  let has: 'ports' | 'icmp' | undefined;
  while (attributes.next()) {
    if (attributes.type === PROTOCOL.NUMBER) protocol = attributes.u8();
    else if (attributes.type === PROTOCOL.SOURCE) {
      ports.source = attributes.u16be();
      has = 'ports';
    } else if (attributes.type === PROTOCOL.DESTINATION) ports.destination = attributes.u16be();
    else if (attributes.type === ID) {
      icmp.id = attributes.u16be();
      has = 'icmp';
    } else if (attributes.type === TYPE) icmp.type = attributes.u8();
    else if (attributes.type === CODE) icmp.code = attributes.u8();
  }
  return {
    protocol,
    ports: has === 'ports' ? ports : undefined,
    icmp: has === 'icmp' ? icmp : undefined,
  };
}

/**
 * One message that changes one entry. The id keeps a later entry with the same tuples from being deleted. Not from being
 * marked: where the kernel updates entries it does not look at CTA_ID (ctnetlink_new_conntrack).
 */
export function writeConnectionChange(
  writer: MessageWriter,
  change: ConnectionChange,
  flags: number,
  sequence: number,
): void {
  const { original, zone, id } = change.connection;
  const type = change.kind === 'delete' ? CONNTRACK_MESSAGE.DELETE : CONNTRACK_MESSAGE.NEW;
  writer.begin(type, flags, sequence);
  writeHeader(writer, original.source.family);
  writeTuple(writer, original);
  if (zone !== 0) writer.attributeU16be(CTA.ZONE, zone);
  if (change.kind === 'delete') writer.attributeU32be(CTA.ID, id);
  else {
    writer.attributeU32be(CTA.MARK, change.set ? change.bits : 0);
    writer.attributeU32be(CTA.MARK_MASK, change.bits);
  }
  writer.end();
}

/** struct nfgenmsg; undefined: all families. */
export function writeHeader(writer: MessageWriter, family: Family | undefined): void {
  const number = family === undefined ? AF.UNSPEC : family === 4 ? AF.INET : AF.INET6;
  writer.u8(number).u8(0).u8(0).u8(0);
}

function writeTuple(writer: MessageWriter, tuple: ConnectionTuple): void {
  const { source, destination, protocol, ports, icmp } = tuple;
  const outer = writer.beginNested(CTA.ORIGINAL, true);
  const addresses = writer.beginNested(TUPLE.IP, true);
  writer.attributeAddress(source.family === 4 ? IP.V4_SRC : IP.V6_SRC, source);
  writer.attributeAddress(source.family === 4 ? IP.V4_DST : IP.V6_DST, destination);
  writer.endNested(addresses);
  const inner = writer.beginNested(TUPLE.PROTOCOL, true);
  writer.attributeU8(PROTOCOL.NUMBER, protocol);
  if (ports !== undefined) {
    writer.attributeU16be(PROTOCOL.SOURCE, ports.source);
    writer.attributeU16be(PROTOCOL.DESTINATION, ports.destination);
  }
  if (icmp !== undefined) {
    const { ID, TYPE, CODE } = ICMP[source.family];
    writer.attributeU16be(ID, icmp.id);
    writer.attributeU8(TYPE, icmp.type);
    writer.attributeU8(CODE, icmp.code);
  }
  writer.endNested(inner).endNested(outer);
}

/** Where an address can stand in an entry; the reply's destination is the original's source unless translated. */
export const CONNECTION_ENDS = [
  ['original', 'source'],
  ['original', 'destination'],
  ['reply', 'source'],
  ['reply', 'destination'],
] as const;

/** Deletes every entry that has the address at this end (CTA_FILTER, Linux 5.8). */
export function writeForget(
  writer: MessageWriter,
  address: Address,
  [direction, end]: (typeof CONNECTION_ENDS)[number],
  flags: number,
  sequence: number,
): void {
  writer.begin(CONNTRACK_MESSAGE.DELETE, flags, sequence);
  writeHeader(writer, address.family);
  const tuple = writer.beginNested(direction === 'original' ? CTA.ORIGINAL : CTA.REPLY, true);
  const addresses = writer.beginNested(TUPLE.IP, true);
  const first = address.family === 4 ? IP.V4_SRC : IP.V6_SRC;
  writer.attributeAddress(end === 'source' ? first : first + 1, address);
  writer.endNested(addresses).endNested(tuple);
  const filter = writer.beginNested(CTA_FILTER.ATTRIBUTE, true);
  const isOriginal = direction === 'original';
  writer.attributeU32(CTA_FILTER.ORIGINAL_FLAGS, isOriginal ? FILTER_BY[end] : 0);
  writer.attributeU32(CTA_FILTER.REPLY_FLAGS, isOriginal ? 0 : FILTER_BY[end]);
  writer.endNested(filter).end();
}
