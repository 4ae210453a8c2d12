// struct rtnexthop, the elements of RTA_MULTIPATH. Linux: include/uapi/linux/rtnetlink.h
import type { Family } from '@calico/ip';
import { NetlinkDecodeError } from './errors.ts';
import { AttributeCursor, type Body } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import type { NextHop } from './types.ts';
import { AF, RTA, RTNH_F_DOWN, RTNH_F_ONLINK } from './uapi.ts';

const RTNEXTHOP_BYTES = 8;

/** The value of RTA_MULTIPATH. Throws NetlinkDecodeError. */
export function decodeNextHops(body: Body, family: Family): NextHop[] {
  const hops: NextHop[] = [];
  const { view, end } = body;
  let at = body.start;
  while (end - at >= RTNEXTHOP_BYTES) {
    const length = view.getUint16(at, true);
    if (length < RTNEXTHOP_BYTES || length > end - at) {
      throw new NetlinkDecodeError(`Cannot decode next hop: length ${length} of ${end - at} bytes`);
    }
    const attributes = new AttributeCursor(view, at + RTNEXTHOP_BYTES, at + length);
    hops.push(decodeNextHop(body, at, attributes, family));
    at += (length + 3) & ~3;
  }
  return hops;
}

function decodeNextHop(
  { view }: Body,
  at: number,
  attributes: AttributeCursor,
  family: Family,
): NextHop {
  let gateway: NextHop['gateway'];
  while (attributes.next()) {
    if (attributes.type === RTA.GATEWAY) gateway = attributes.address(family);
    else if (attributes.type === RTA.VIA) gateway = attributes.via();
  }
  const flags = view.getUint8(at + 2);
  const interfaceIndex = view.getInt32(at + 4, true);
  return {
    ...(gateway !== undefined && { gateway }),
    ...(interfaceIndex !== 0 && { interfaceIndex }),
    ...nextHopFlags(flags),
    weight: view.getUint8(at + 3) + 1,
  };
}

/** What RTNH_F_* say, of an element or of a route that has one next hop. */
export function nextHopFlags(flags: number): Pick<NextHop, 'onlink' | 'down'> {
  return {
    ...((flags & RTNH_F_ONLINK) !== 0 && { onlink: true }),
    ...((flags & RTNH_F_DOWN) !== 0 && { down: true }),
  };
}

export function writeMultipath(
  writer: MessageWriter,
  hops: readonly NextHop[],
  family: Family,
): void {
  const multipath = writer.beginNested(RTA.MULTIPATH);
  for (const { gateway, interfaceIndex, onlink, weight } of hops) {
    const start = writer.position;
    writer
      .u16(0)
      .u8(onlink ? RTNH_F_ONLINK : 0)
      .u8((weight ?? 1) - 1)
      .u32(interfaceIndex ?? 0);
    if (gateway) {
      if (gateway.family === family) writer.attributeAddress(RTA.GATEWAY, gateway);
      else writer.attributeVia(RTA.VIA, gateway.family === 4 ? AF.INET : AF.INET6, gateway);
    }
    writer.patchLength(start);
  }
  writer.endNested(multipath);
}
