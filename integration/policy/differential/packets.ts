// The packets that no socket of the kernel would send for us, and what arrives at a raw socket.
import { ICMP, ICMP_V6, type Probe, SCTP, TCP, UDP } from './probe.ts';

/** What follows the IP header. `id` tells probes of ICMP apart. Ports of the kernel's protocols are its own. */
export function payloadOf(probe: Probe, id: number): Uint8Array {
  if (probe.protocol === SCTP) return sctpInit(probe.sourcePort, probe.destinationPort);
  if (probe.protocol === ICMP || probe.protocol === ICMP_V6) return icmpMessage(probe, id);
  // GRE version 0 without options, and what follows an outer IP header.
  return new Uint8Array(16);
}

function icmpMessage({ icmpType, icmpCode, protocol }: Probe, id: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  bytes.set([icmpType, icmpCode]);
  view.setUint16(4, id);
  // The kernel fills in the checksum of ICMPv6, which covers addresses.
  if (protocol === ICMP) view.setUint16(2, internetChecksum(bytes));
  return bytes;
}

/** RFC 1071. */
function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2) {
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** RFC 9260 section 3.3.2: connection tracking takes nothing else for the beginning of an association. */
function sctpInit(sourcePort: number, destinationPort: number): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  bytes.set([1, 0], 12);
  view.setUint16(14, 20);
  view.setUint32(16, 1); // initiate tag
  view.setUint32(20, 65_536); // window
  view.setUint16(24, 1);
  view.setUint16(26, 1);
  view.setUint32(28, 1); // first number
  view.setUint32(8, crc32c(bytes), true);
  return bytes;
}

/** RFC 9260 appendix A. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** What tells a packet at its destination apart from all others of a round. */
export function receiptOf(
  family: 4 | 6,
  protocol: number,
  source: string,
  payload: Uint8Array,
): string {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const head = `${family} ${protocol} ${source}`;
  if (payload.length < 8) return head;
  if (protocol === TCP || protocol === UDP || protocol === SCTP) {
    return `${head} ${view.getUint16(0)} ${view.getUint16(2)}`;
  }
  if (protocol === ICMP || protocol === ICMP_V6) {
    return `${head} ${payload[0]} ${payload[1]} ${view.getUint16(4)}`;
  }
  return head;
}
