// struct ifaddrmsg. Linux: include/uapi/linux/if_addr.h
import { NetlinkDecodeError } from './errors.ts';
import { AttributeCursor, afterHeader, type Body, familyOf } from './message_reader.ts';
import type { MessageWriter } from './message_writer.ts';
import { scopeNumber, scopeOf } from './scope.ts';
import type { InterfaceAddress } from './types.ts';
import { AF, IFA, IFA_F } from './uapi.ts';

const IFADDRMSG_BYTES = 8;
const TRANSIENT = IFA_F.TEMPORARY | IFA_F.DADFAILED | IFA_F.DEPRECATED | IFA_F.TENTATIVE;

/** RTM_NEWADDR or RTM_DELADDR without its header; undefined for a family other than IP. */
export function decodeInterfaceAddress(body: Body): InterfaceAddress | undefined {
  const attributesAt = afterHeader(body, IFADDRMSG_BYTES, 'interface address');
  const { view, start } = body;
  const family = familyOf(view.getUint8(start));
  if (family === undefined) return undefined;
  const prefixLength = view.getUint8(start + 1);
  if (prefixLength > (family === 4 ? 32 : 128)) {
    throw new NetlinkDecodeError(`Cannot decode interface address: prefix length ${prefixLength}`);
  }
  // On a point-to-point device IFA_ADDRESS is the other end; IFA_LOCAL, where present, is ours.
  let local: InterfaceAddress['address'] | undefined;
  let address: InterfaceAddress['address'] | undefined;
  let flags = view.getUint8(start + 2);
  const attributes = new AttributeCursor(view, attributesAt, body.end);
  while (attributes.next()) {
    if (attributes.type === IFA.LOCAL) local = attributes.address(family);
    else if (attributes.type === IFA.ADDRESS) address = attributes.address(family);
    else if (attributes.type === IFA.FLAGS) flags = attributes.u32();
  }
  const found = local ?? address;
  if (!found) throw new NetlinkDecodeError('Cannot decode interface address: it has no address');
  return {
    interfaceIndex: view.getUint32(start + 4, true),
    address: found,
    prefixLength,
    scope: scopeOf(view.getUint8(start + 3)),
    ...(family === 4 && (flags & IFA_F.SECONDARY) !== 0 && { secondary: true }),
    ...(family === 6 && (flags & TRANSIENT) !== 0 && { transient: true }),
  };
}

/** struct ifaddrmsg of a dump request; 0 means any. */
export function writeAddressFilter(writer: MessageWriter, family: number, index: number): void {
  writer.u8(family).u8(0).u8(0).u8(0).u32(index);
}

/**
 * The body of RTM_NEWADDR or RTM_DELADDR. IPv6 addresses get IFA_F_NODAD: duplicates are ruled out where
 * addresses are assigned, and a tentative address would not work for a second.
 */
export function writeInterfaceAddress(writer: MessageWriter, entry: InterfaceAddress): void {
  const isIpv4 = entry.address.family === 4;
  writer.u8(isIpv4 ? AF.INET : AF.INET6).u8(entry.prefixLength);
  writer.u8(isIpv4 ? 0 : IFA_F.NODAD).u8(scopeNumber(entry.scope));
  writer.u32(entry.interfaceIndex);
  writer.attributeAddress(IFA.LOCAL, entry.address).attributeAddress(IFA.ADDRESS, entry.address);
}
