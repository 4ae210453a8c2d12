// struct sockaddr_in and sockaddr_in6 (linux/in.h, linux/in6.h). The family is in host order, which is
// little-endian wherever Node and Deno run; ports and addresses are in network order.
import { type Address, addressBytes, addressFromBytes, type Family } from '@calico/ip';

export const ADDRESS_FAMILY: Readonly<Record<Family, number>> = { 4: 2, 6: 10 };

/** Room for either kind. */
export const MAX_SOCKET_ADDRESS = 28;

/** Of struct sockaddr_in6; in host order. */
const SCOPE_OFFSET = 24;

/** @param interfaceIndex where a link-local address is; 0 for other addresses */
export function encodeSocketAddress(
  address: Address,
  port: number,
  interfaceIndex = 0,
): Uint8Array {
  const isV4 = address.family === 4;
  const bytes = new Uint8Array(isV4 ? 16 : MAX_SOCKET_ADDRESS);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ADDRESS_FAMILY[address.family], true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), isV4 ? 4 : 8);
  if (!isV4) view.setUint32(SCOPE_OFFSET, interfaceIndex, true);
  return bytes;
}

export function decodeSocketAddress(bytes: Uint8Array): Address {
  const isV4 = bytes[0] === ADDRESS_FAMILY[4];
  return addressFromBytes(isV4 ? bytes.slice(4, 8) : bytes.slice(8, 24));
}

/** Where a link-local address is; 0 for other addresses. */
export function decodeScope(bytes: Uint8Array): number {
  if (bytes[0] === ADDRESS_FAMILY[4]) return 0;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(SCOPE_OFFSET, true);
}
