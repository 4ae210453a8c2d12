// A socket filter (linux/filter.h) that lets only datagrams of senders near enough pass: RFC 5082. It runs
// in the kernel before a datagram is queued, so those from afar cannot fill the receive buffer.
import type { Family } from '@calico/ip';

/** Offset relative to the network header. */
const SKF_NET_OFF = -0x100000;
/** Of the time to live in the IPv4 header, of the hop limit in the IPv6 header. */
const HOP_OFFSET: Readonly<Record<Family, number>> = { 4: 8, 6: 7 };
const LOAD_BYTE_ABSOLUTE = 0x30;
const JUMP_GREATER_OR_EQUAL = 0x35;
const RETURN = 0x06;
const WHOLE = 0xffffffff;

/** @param minimum least time to live that passes, 1 to 255 */
export function hopFilter(family: Family, minimum: number): Uint8Array {
  return Uint8Array.from([
    ...instruction(LOAD_BYTE_ABSOLUTE, 0, 0, SKF_NET_OFF + HOP_OFFSET[family]),
    ...instruction(JUMP_GREATER_OR_EQUAL, 0, 1, minimum),
    ...instruction(RETURN, 0, 0, WHOLE),
    ...instruction(RETURN, 0, 0, 0),
  ]);
}

/** struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 operand; in host order. */
function instruction(code: number, jumpTrue: number, jumpFalse: number, operand: number) {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint8(2, jumpTrue);
  view.setUint8(3, jumpFalse);
  view.setUint32(4, operand >>> 0, true);
  return bytes;
}
