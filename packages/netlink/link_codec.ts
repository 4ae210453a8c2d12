// struct ifinfomsg and its attributes. Linux: include/uapi/linux/if_link.h
import type { Address } from '@calico/ip';
import { macBytes } from './mac.ts';
import { AttributeCursor, afterHeader, type Body } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import type { Link, LinkChanges, NewLink, VxlanAttributes } from './types.ts';
import {
  AF,
  IFF,
  IFLA,
  IFLA_INET_CONF,
  IFLA_INFO,
  IFLA_VXLAN,
  IPV4_DEVCONF,
  VETH_INFO_PEER,
} from './uapi.ts';

const IFINFOMSG_BYTES = 16;
const NO_MAC = '00:00:00:00:00:00';

/** RTM_NEWLINK or RTM_DELLINK without its header. Throws NetlinkDecodeError. */
export function decodeLink(body: Body): Link {
  const attributesAt = afterHeader(body, IFINFOMSG_BYTES, 'link');
  const { view, start } = body;
  const flags = view.getUint32(start + 8, true);
  let name = '';
  let mac: string | undefined;
  let mtu = 0;
  let linkIndex: number | undefined;
  let alias: string | undefined;
  let info: LinkInfo = { kind: undefined, vxlan: undefined };
  const attributes = new AttributeCursor(view, attributesAt, body.end);
  while (attributes.next()) {
    switch (attributes.type) {
      case IFLA.IFNAME:
        name = attributes.string();
        break;
      case IFLA.ADDRESS:
        mac = attributes.mac();
        break;
      case IFLA.MTU:
        mtu = attributes.u32();
        break;
      case IFLA.LINK:
        linkIndex = attributes.u32();
        break;
      case IFLA.IFALIAS:
        alias = attributes.string();
        break;
      case IFLA.LINKINFO:
        info = decodeLinkInfo(attributes.nested());
        break;
      default:
    }
  }
  return {
    index: view.getInt32(start + 4, true),
    name,
    kind: info.kind,
    mac: mac === NO_MAC ? undefined : mac,
    mtu,
    up: (flags & IFF.UP) !== 0,
    running: (flags & IFF.RUNNING) !== 0,
    loopback: (flags & IFF.LOOPBACK) !== 0,
    linkIndex: linkIndex === 0 ? undefined : linkIndex,
    vxlan: info.vxlan,
    ...(alias === undefined ? {} : { alias }),
  };
}

type LinkInfo = { readonly kind: string | undefined; readonly vxlan: VxlanAttributes | undefined };

function decodeLinkInfo(attributes: AttributeCursor): LinkInfo {
  let kind: string | undefined;
  let data: AttributeCursor | undefined;
  while (attributes.next()) {
    if (attributes.type === IFLA_INFO.KIND) kind = attributes.string();
    else if (attributes.type === IFLA_INFO.DATA) data = attributes.nested();
  }
  return { kind, vxlan: kind === 'vxlan' && data ? decodeVxlan(data) : undefined };
}

function decodeVxlan(attributes: AttributeCursor): VxlanAttributes {
  let vni = 0;
  let port = 0;
  let local: Address | undefined;
  let parentIndex: number | undefined;
  let learning = false;
  while (attributes.next()) {
    switch (attributes.type) {
      case IFLA_VXLAN.ID:
        vni = attributes.u32();
        break;
      case IFLA_VXLAN.PORT:
        port = attributes.u16be();
        break;
      case IFLA_VXLAN.LOCAL:
        local = attributes.address(4);
        break;
      case IFLA_VXLAN.LOCAL6:
        local = attributes.address(6);
        break;
      case IFLA_VXLAN.LINK:
        parentIndex = attributes.u32();
        break;
      case IFLA_VXLAN.LEARNING:
        learning = attributes.u8() !== 0;
        break;
      default:
    }
  }
  return {
    vni,
    port,
    local: local?.value === 0n ? undefined : local,
    parentIndex: parentIndex === 0 ? undefined : parentIndex,
    learning,
  };
}

/** struct ifinfomsg. `index` 0: none. */
export function writeLinkHeader(writer: MessageWriter, index: number, flags = 0, change = 0): void {
  writer.u8(AF.UNSPEC).u8(0).u16(0).u32(index).u32(flags).u32(change);
}

/** The body of RTM_NEWLINK that creates a device. */
export function writeNewLink(writer: MessageWriter, link: NewLink): void {
  const up = link.kind === 'veth' && link.up ? IFF.UP : 0;
  writeLinkHeader(writer, 0, up, up);
  writer.attributeString(IFLA.IFNAME, link.name).attributeU32(IFLA.MTU, link.mtu);
  if (link.kind !== 'ipip' && link.mac) writer.attributeBytes(IFLA.ADDRESS, macBytes(link.mac));
  const info = writer.beginNested(IFLA.LINKINFO);
  writer.attributeString(IFLA_INFO.KIND, link.kind);
  if (link.kind !== 'ipip') {
    const data = writer.beginNested(IFLA_INFO.DATA);
    if (link.kind === 'veth') writeVethPeer(writer, link.peer);
    else writeVxlan(writer, link.vxlan);
    writer.endNested(data);
  }
  writer.endNested(info);
}

// The peer's ifinfomsg must not carry IFF_UP: the kernel answers ENOTCONN while the pair is half made.
function writeVethPeer(writer: MessageWriter, peer: (NewLink & { kind: 'veth' })['peer']): void {
  const nested = writer.beginNested(VETH_INFO_PEER);
  writeLinkHeader(writer, 0);
  writer.attributeString(IFLA.IFNAME, peer.name).attributeU32(IFLA.MTU, peer.mtu);
  if (peer.mac) writer.attributeBytes(IFLA.ADDRESS, macBytes(peer.mac));
  if (peer.netnsFd !== undefined) writer.attributeU32(IFLA.NET_NS_FD, peer.netnsFd);
  writer.endNested(nested);
}

function writeVxlan(writer: MessageWriter, vxlan: VxlanAttributes): void {
  writer.attributeU32(IFLA_VXLAN.ID, vxlan.vni).attributeU16be(IFLA_VXLAN.PORT, vxlan.port);
  writer.attributeU8(IFLA_VXLAN.LEARNING, vxlan.learning ? 1 : 0);
  if (vxlan.parentIndex !== undefined) writer.attributeU32(IFLA_VXLAN.LINK, vxlan.parentIndex);
  if (vxlan.local) {
    const type = vxlan.local.family === 4 ? IFLA_VXLAN.LOCAL : IFLA_VXLAN.LOCAL6;
    writer.attributeAddress(type, vxlan.local);
  }
}

/** The body of RTM_SETLINK. */
export function writeLinkChanges(writer: MessageWriter, index: number, changes: LinkChanges): void {
  const change = changes.up === undefined ? 0 : IFF.UP;
  writeLinkHeader(writer, index, changes.up ? IFF.UP : 0, change);
  if (changes.mtu !== undefined) writer.attributeU32(IFLA.MTU, changes.mtu);
  if (changes.mac !== undefined) writer.attributeBytes(IFLA.ADDRESS, macBytes(changes.mac));
  if (changes.name !== undefined) writer.attributeString(IFLA.IFNAME, changes.name);
  if (changes.alias !== undefined) {
    writer.attributeBytes(IFLA.IFALIAS, new TextEncoder().encode(changes.alias));
  }
  if (changes.ipv4Conf) writeIpv4Conf(writer, changes.ipv4Conf);
}

function writeIpv4Conf(
  writer: MessageWriter,
  conf: Exclude<LinkChanges['ipv4Conf'], undefined>,
): void {
  const spec = writer.beginNested(IFLA.AF_SPEC);
  const inet = writer.beginNested(AF.INET);
  const values = writer.beginNested(IFLA_INET_CONF);
  for (const [name, value] of Object.entries(conf)) {
    if (Object.hasOwn(IPV4_DEVCONF, name)) {
      writer.attributeU32(IPV4_DEVCONF[name as keyof typeof IPV4_DEVCONF], value);
    }
  }
  writer.endNested(values).endNested(inet).endNested(spec);
}
