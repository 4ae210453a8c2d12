// struct rtmsg. Linux: include/uapi/linux/rtnetlink.h
import type { Address, Family, Prefix } from '@calico/ip';
import { NetlinkDecodeError } from './errors.ts';
import { AttributeCursor, afterHeader, type Body, familyOf } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import { decodeNextHops, nextHopFlags, writeMultipath } from './next_hop_codec.ts';
import { scopeNumber, scopeOf } from './scope.ts';
import type { NextHop, Route, RouteFilter, RouteType } from './types.ts';
import { AF, RTA, RTAX_MTU, RTM_F, RTNH_F_ONLINK } from './uapi.ts';

const RTMSG_BYTES = 12;
const TYPE_NUMBERS: Readonly<Record<RouteType, number>> = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
};
const TYPES = new Map(
  Object.entries(TYPE_NUMBERS).map(([type, number]) => [number, type as RouteType]),
);

/**
 * RTM_NEWROUTE or RTM_DELROUTE without its header. Undefined for what is not ours to see: another family,
 * a route type outside RouteType (IPv6 anycast and multicast), and cache entries unless `cloned` is set.
 */
export function decodeRoute(body: Body, options?: { readonly cloned: boolean }): Route | undefined {
  const attributesAt = afterHeader(body, RTMSG_BYTES, 'route');
  const { view, start } = body;
  const family = familyOf(view.getUint8(start));
  const type = TYPES.get(view.getUint8(start + 7));
  const flags = view.getUint32(start + 8, true);
  const isCloned = (flags & RTM_F.CLONED) !== 0;
  if (family === undefined || type === undefined) return undefined;
  if (isCloned && options?.cloned !== true) return undefined;
  const length = view.getUint8(start + 1);
  if (length > (family === 4 ? 32 : 128)) {
    throw new NetlinkDecodeError(`Cannot decode route: destination length ${length}`);
  }
  const found = decodeAttributes(new AttributeCursor(view, attributesAt, body.end), family);
  const { metric, source, mtu, nextHopId } = found;
  return {
    destination: maskedPrefix(family, found.destination, length),
    type,
    table: found.table ?? view.getUint8(start + 4),
    protocol: view.getUint8(start + 5),
    scope: scopeOf(view.getUint8(start + 6)),
    ...(metric !== undefined && metric !== 0 && { metric }),
    ...(source !== undefined && { source }),
    ...(mtu !== undefined && { mtu }),
    nextHops: found.nextHops ?? singleNextHop(found, flags),
    ...(nextHopId !== undefined && { nextHopId }),
  };
}

type Attributes = {
  destination: bigint;
  table: number | undefined;
  metric: number | undefined;
  source: Address | undefined;
  mtu: number | undefined;
  gateway: Address | undefined;
  interfaceIndex: number | undefined;
  nextHops: NextHop[] | undefined;
  nextHopId: number | undefined;
};

function decodeAttributes(attributes: AttributeCursor, family: Family): Attributes {
  const found: Attributes = {
    destination: 0n,
    table: undefined,
    metric: undefined,
    source: undefined,
    mtu: undefined,
    gateway: undefined,
    interfaceIndex: undefined,
    nextHops: undefined,
    nextHopId: undefined,
  };
  while (attributes.next()) {
    switch (attributes.type) {
      case RTA.DST:
        found.destination = attributes.address(family).value;
        break;
      case RTA.OIF:
        found.interfaceIndex = attributes.u32();
        break;
      case RTA.GATEWAY:
        found.gateway = attributes.address(family);
        break;
      case RTA.VIA:
        found.gateway = attributes.via();
        break;
      case RTA.PRIORITY:
        found.metric = attributes.u32();
        break;
      case RTA.PREFSRC:
        found.source = attributes.address(family);
        break;
      case RTA.TABLE:
        found.table = attributes.u32();
        break;
      case RTA.METRICS:
        found.mtu = decodeMtu(attributes.nested());
        break;
      case RTA.NH_ID:
        found.nextHopId = attributes.u32();
        break;
      case RTA.MULTIPATH:
        found.nextHops = decodeNextHops(attributes.body(), family);
        break;
      default:
    }
  }
  return found;
}

function decodeMtu(metrics: AttributeCursor): number | undefined {
  while (metrics.next()) if (metrics.type === RTAX_MTU) return metrics.u32();
  return undefined;
}

function singleNextHop(found: Attributes, flags: number): NextHop[] {
  const { gateway, interfaceIndex } = found;
  if (gateway === undefined && interfaceIndex === undefined) return [];
  return [
    {
      ...(gateway !== undefined && { gateway }),
      ...(interfaceIndex !== undefined && { interfaceIndex }),
      ...nextHopFlags(flags),
    },
  ];
}

/** A prefix whose host bits are zero whatever the bytes said. */
export function maskedPrefix(family: Family, value: bigint, length: number): Prefix {
  const hostBits = BigInt((family === 4 ? 32 : 128) - length);
  return { family, value: hostBits === 0n ? value : (value >> hostBits) << hostBits, length };
}

/** The body of RTM_NEWROUTE or RTM_DELROUTE. */
export function writeRoute(writer: MessageWriter, route: Route): void {
  const { destination, nextHops } = route;
  const only = nextHops.length === 1 ? nextHops[0] : undefined;
  writer.u8(destination.family === 4 ? AF.INET : AF.INET6).u8(destination.length);
  writer.u8(0).u8(0).u8(tableByte(route.table)).u8(route.protocol).u8(scopeNumber(route.scope));
  writer.u8(TYPE_NUMBERS[route.type]).u32(only?.onlink ? RTNH_F_ONLINK : 0);
  if (destination.length > 0) writer.attributeAddress(RTA.DST, destination);
  if (route.table > 255) writer.attributeU32(RTA.TABLE, route.table);
  if (route.nextHopId !== undefined) writer.attributeU32(RTA.NH_ID, route.nextHopId);
  if (only) writeOnlyHop(writer, only, destination.family);
  if (nextHops.length > 1) writeMultipath(writer, nextHops, destination.family);
  if (route.metric !== undefined) writer.attributeU32(RTA.PRIORITY, route.metric);
  if (route.source) writer.attributeAddress(RTA.PREFSRC, route.source);
  if (route.mtu !== undefined) {
    const metrics = writer.beginNested(RTA.METRICS);
    writer.attributeU32(RTAX_MTU, route.mtu).endNested(metrics);
  }
}

function writeOnlyHop(writer: MessageWriter, hop: NextHop, family: Family): void {
  if (hop.interfaceIndex !== undefined) writer.attributeU32(RTA.OIF, hop.interfaceIndex);
  if (hop.gateway === undefined) return;
  if (hop.gateway.family === family) writer.attributeAddress(RTA.GATEWAY, hop.gateway);
  else writer.attributeVia(RTA.VIA, hop.gateway.family === 4 ? AF.INET : AF.INET6, hop.gateway);
}

/** The body of a dump request. The kernel filters by it when NETLINK_GET_STRICT_CHK is on. */
export function writeRouteFilter(writer: MessageWriter, filter: RouteFilter): void {
  const table = filter.table ?? 0;
  writer
    .u8(filter.family === 4 ? AF.INET : AF.INET6)
    .u8(0)
    .u8(0)
    .u8(0);
  writer
    .u8(tableByte(table))
    .u8(filter.protocol ?? 0)
    .u8(0)
    .u8(0)
    .u32(0);
  if (table > 255) writer.attributeU32(RTA.TABLE, table);
  if (filter.interfaceIndex !== undefined) writer.attributeU32(RTA.OIF, filter.interfaceIndex);
}

/**
 * The body of RTM_GETROUTE for one address.
 * @param isEntry the entry of the table is asked for, not the way of this one address
 */
export function writeRouteLookup(
  writer: MessageWriter,
  destination: Address,
  isEntry: boolean,
): void {
  const isIpv4 = destination.family === 4;
  writer.u8(isIpv4 ? AF.INET : AF.INET6).u8(isIpv4 ? 32 : 128);
  // IPv6 tells the table unasked and refuses the flag.
  writer
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32((isIpv4 ? RTM_F.LOOKUP_TABLE : 0) | (isEntry ? RTM_F.FIB_MATCH : 0));
  writer.attributeAddress(RTA.DST, destination);
}

/** Whether a dumped route passes the filter; kernels before 4.20 do not filter by themselves. */
export function routePasses(route: Route, filter: RouteFilter): boolean {
  if (route.destination.family !== filter.family) return false;
  if (filter.table !== undefined && route.table !== filter.table) return false;
  if (filter.protocol !== undefined && route.protocol !== filter.protocol) return false;
  if (filter.interfaceIndex === undefined) return true;
  return route.nextHops.some((hop) => hop.interfaceIndex === filter.interfaceIndex);
}

function tableByte(table: number): number {
  return table > 255 ? 0 : table;
}
