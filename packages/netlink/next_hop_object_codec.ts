// Nexthop objects: struct nhmsg. Linux: include/uapi/linux/nexthop.h
import { AttributeCursor, afterHeader, type Body, familyOf } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import type { NextHopObject } from './types.ts';
import { AF, NHA, RTNH_F_ONLINK } from './uapi.ts';

const NHMSG_BYTES = 8;

/** The body of RTM_NEWNEXTHOP. */
export function writeNextHopObject(writer: MessageWriter, nextHop: NextHopObject): void {
  const { id, family, protocol, gateway, interfaceIndex, onlink } = nextHop;
  writer
    .u8(family === 4 ? AF.INET : AF.INET6)
    .u8(0)
    .u8(protocol)
    .u8(0);
  writer.u32(onlink ? RTNH_F_ONLINK : 0).attributeU32(NHA.ID, id);
  writer.attributeU32(NHA.OIF, interfaceIndex);
  if (gateway !== undefined) writer.attributeAddress(NHA.GATEWAY, gateway);
}

/** The body of RTM_DELNEXTHOP. */
export function writeNextHopId(writer: MessageWriter, id: number): void {
  writeNextHopFilter(writer);
  writer.attributeU32(NHA.ID, id);
}

/** The body of a dump request for all objects. */
export function writeNextHopFilter(writer: MessageWriter): void {
  writer.u8(AF.UNSPEC).u8(0).u8(0).u8(0).u32(0);
}

/** Undefined for groups, blackholes and other families. Throws NetlinkDecodeError. */
export function decodeNextHopObject(body: Body): NextHopObject | undefined {
  const attributesAt = afterHeader(body, NHMSG_BYTES, 'nexthop');
  const { view, start, end } = body;
  const family = familyOf(view.getUint8(start));
  if (family === undefined) return undefined;
  const attributes = new AttributeCursor(view, attributesAt, end);
  let id: number | undefined;
  let interfaceIndex: number | undefined;
  let gateway: NextHopObject['gateway'];
  while (attributes.next()) {
    if (attributes.type === NHA.ID) id = attributes.u32();
    else if (attributes.type === NHA.OIF) interfaceIndex = attributes.u32();
    else if (attributes.type === NHA.GATEWAY) gateway = attributes.address(family);
  }
  if (id === undefined || interfaceIndex === undefined) return undefined;
  const isOnlink = (view.getUint32(start + 4, true) & RTNH_F_ONLINK) !== 0;
  return {
    id,
    family,
    protocol: view.getUint8(start + 2),
    interfaceIndex,
    ...(gateway !== undefined && { gateway }),
    ...(isOnlink && { onlink: true }),
  };
}
