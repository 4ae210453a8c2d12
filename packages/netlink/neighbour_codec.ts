// struct ndmsg: ARP and ND entries, and with AF_BRIDGE the forwarding entries of a VXLAN device.
// Linux: include/uapi/linux/neighbour.h
import type { Address, Family } from '@calico/ip';
import { macBytes } from './mac.ts';
import { AttributeCursor, afterHeader, type Body, familyOf } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import type { FdbEntry, Neighbour } from './types.ts';
import { AF, NDA, NDTA, NDTPA, NTF, NUD } from './uapi.ts';

const NDMSG_BYTES = 12;

/**
 * RTM_NEWNEIGH; undefined for other families and entries without a usable MAC. RTM_DELNEIGH with `isDeleted`:
 * the kernel may have dropped the MAC before the entry; it is empty then.
 */
export function decodeNeighbour(body: Body, isDeleted = false): Neighbour | undefined {
  const attributesAt = afterHeader(body, NDMSG_BYTES, 'neighbour');
  const { view, start } = body;
  const family = familyOf(view.getUint8(start));
  const state = view.getUint16(start + 8, true);
  const isProxy = (view.getUint8(start + 10) & NTF.PROXY) !== 0;
  const hasNoMac = (state & (NUD.INCOMPLETE | NUD.FAILED | NUD.NOARP)) !== 0;
  if (family === undefined || isProxy || (hasNoMac && !isDeleted)) return undefined;
  const attributes = new AttributeCursor(view, attributesAt, body.end);
  const { mac = isDeleted ? '' : undefined, address } = decodeEntry(attributes, family);
  if (mac === undefined || address === undefined) return undefined;
  const interfaceIndex = view.getInt32(start + 4, true);
  return { interfaceIndex, address, mac, permanent: (state & NUD.PERMANENT) !== 0 };
}

/** RTM_NEWNEIGH of AF_BRIDGE; undefined for entries that lead to no address (bridge ports). */
export function decodeFdbEntry(body: Body): FdbEntry | undefined {
  const attributesAt = afterHeader(body, NDMSG_BYTES, 'forwarding entry');
  const { view, start } = body;
  if (view.getUint8(start) !== AF.BRIDGE) return undefined;
  const { mac, address: destination } = decodeEntry(
    new AttributeCursor(view, attributesAt, body.end),
    undefined,
  );
  if (mac === undefined || destination === undefined) return undefined;
  return { interfaceIndex: view.getInt32(start + 4, true), mac, destination };
}

type Entry = { readonly mac: string | undefined; readonly address: Address | undefined };

// In forwarding entries the family of NDA_DST shows only by its length.
function decodeEntry(attributes: AttributeCursor, family: Family | undefined): Entry {
  let mac: string | undefined;
  let address: Address | undefined;
  while (attributes.next()) {
    if (attributes.type === NDA.LLADDR) mac = attributes.mac();
    else if (attributes.type === NDA.DST) {
      address = attributes.address(family ?? (attributes.length === 4 ? 4 : 6));
    }
  }
  return { mac, address };
}

/** struct ndmsg of a dump request, and the device as an attribute, as strict checking wants it. */
export function writeNeighbourFilter(writer: MessageWriter, family: number, index: number): void {
  writeHeader(writer, family, 0, 0, 0);
  if (index !== 0) writer.attributeU32(NDA.IFINDEX, index);
}

export function writeNeighbour(writer: MessageWriter, entry: Neighbour): void {
  const family = entry.address.family === 4 ? AF.INET : AF.INET6;
  // Not permanent: stale, so that the kernel checks it before relying on it.
  const state = entry.permanent ? NUD.PERMANENT : NUD.STALE;
  writeHeader(writer, family, entry.interfaceIndex, state, 0);
  writer.attributeAddress(NDA.DST, entry.address);
  writer.attributeBytes(NDA.LLADDR, macBytes(entry.mac));
}

export function writeFdbEntry(writer: MessageWriter, entry: FdbEntry): void {
  writeHeader(writer, AF.BRIDGE, entry.interfaceIndex, NUD.NOARP | NUD.PERMANENT, NTF.SELF);
  writer.attributeBytes(NDA.LLADDR, macBytes(entry.mac));
  writer.attributeAddress(NDA.DST, entry.destination);
}

/** All zeros (flood entry) or a group address: the kernel refuses to replace these, it only appends. */
export function isMulticastFdb(entry: FdbEntry): boolean {
  const bytes = macBytes(entry.mac);
  return ((bytes[0] ?? 0) & 1) === 1 || bytes.every((byte) => byte === 0);
}

/** The body of RTM_SETNEIGHTBL: how long a device waits before it answers proxy ARP, in ms. */
export function writeProxyArpDelay(writer: MessageWriter, index: number, delayMs: number): void {
  writer.u8(AF.INET).u8(0).u16(0).attributeString(NDTA.NAME, 'arp_cache');
  const parameters = writer.beginNested(NDTA.PARMS);
  writer.attributeU32(NDTPA.IFINDEX, index);
  writer.attributeU64(NDTPA.PROXY_DELAY, BigInt(delayMs)).endNested(parameters);
}

function writeHeader(
  writer: MessageWriter,
  family: number,
  index: number,
  state: number,
  flags: number,
): void {
  writer.u8(family).u8(0).u16(0).u32(index).u16(state).u8(flags).u8(0);
}
