// The first packet of a connection, as bytes: what a trace sends in a pod's name. It opens nothing: whoever answers
// it gets no answer in turn.
import { addressBytes } from '@calico/ip';
import type { Packet } from '../evaluator/packet.ts';

type Flow = Omit<Packet, 'inputInterface' | 'outputInterface' | 'state'>;

const [ICMP, TCP, UDP, ICMP_V6, SCTP] = [1, 6, 17, 58, 132];
const HOP_LIMIT = 64;
const ETHERTYPE = { 4: 0x0800, 6: 0x86dd } as const;

/** An Ethernet frame. The addresses are of six bytes. */
export function probeFrame(flow: Flow, sourceMac: Uint8Array, destinationMac: Uint8Array) {
  const packet = probePacket(flow);
  const frame = new Uint8Array(14 + packet.length);
  frame.set(destinationMac, 0);
  frame.set(sourceMac, 6);
  new DataView(frame.buffer).setUint16(12, ETHERTYPE[flow.source.family]);
  frame.set(packet, 14);
  return frame;
}

/** An IP packet: a SYN, a datagram, an INIT, an echo request, or 16 zeros of another protocol. */
export function probePacket(flow: Flow): Uint8Array {
  const payload = payloadOf(flow);
  return flow.source.family === 4 ? ipv4(flow, payload) : ipv6(flow, payload);
}

/** RFC 791. */
function ipv4({ source, destination, protocol }: Flow, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(20 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x45;
  view.setUint16(2, bytes.length);
  bytes[8] = HOP_LIMIT;
  bytes[9] = protocol;
  bytes.set(addressBytes(source), 12);
  bytes.set(addressBytes(destination), 16);
  view.setUint16(10, internetChecksum(bytes.subarray(0, 20)));
  bytes.set(payload, 20);
  return bytes;
}

/** RFC 8200. */
function ipv6({ source, destination, protocol }: Flow, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(40 + payload.length);
  bytes[0] = 0x60;
  new DataView(bytes.buffer).setUint16(4, payload.length);
  bytes[6] = protocol;
  bytes[7] = HOP_LIMIT;
  bytes.set(addressBytes(source), 8);
  bytes.set(addressBytes(destination), 24);
  bytes.set(payload, 40);
  return bytes;
}

function payloadOf(flow: Flow): Uint8Array {
  switch (flow.protocol) {
    case TCP:
      return checked(flow, tcpSyn(flow), 16);
    case UDP:
      return checked(flow, udpDatagram(flow), 6);
    case SCTP:
      return sctpInit(flow);
    case ICMP:
      return echo(flow, internetChecksum);
    case ICMP_V6:
      return checked(
        flow,
        echo(flow, () => 0),
        2,
      );
    default:
      return new Uint8Array(16);
  }
}

function withPorts(length: number, { sourcePort, destinationPort }: Flow): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  return bytes;
}

/** RFC 9293 section 3.1. */
function tcpSyn(flow: Flow): Uint8Array {
  const bytes = withPorts(20, flow);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 1);
  bytes[12] = 5 << 4;
  bytes[13] = 2;
  view.setUint16(14, 0xffff);
  return bytes;
}

function udpDatagram(flow: Flow): Uint8Array {
  const bytes = withPorts(8, flow);
  new DataView(bytes.buffer).setUint16(4, bytes.length);
  return bytes;
}

function echo({ icmpType, icmpCode }: Flow, checksum: (bytes: Uint8Array) => number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  bytes.set([icmpType, icmpCode]);
  view.setUint16(4, 0xca11);
  view.setUint16(2, checksum(bytes));
  return bytes;
}

/** RFC 9260 section 3.3.2. */
function sctpInit(flow: Flow): Uint8Array {
  const bytes = withPorts(32, flow);
  const view = new DataView(bytes.buffer);
  bytes[12] = 1;
  view.setUint16(14, 20);
  view.setUint32(16, 1);
  view.setUint32(20, 65_536);
  view.setUint16(24, 1);
  view.setUint16(26, 1);
  view.setUint32(28, 1);
  view.setUint32(8, crc32c(bytes), true);
  return bytes;
}

/** With the checksum over the addresses too (RFC 9293 section 3.1, RFC 8200 section 8.1). */
function checked({ source, destination, protocol }: Flow, payload: Uint8Array, at: number) {
  const addresses = [...addressBytes(source), ...addressBytes(destination)];
  const pseudo = Uint8Array.from([...addresses, 0, protocol, 0, payload.length, ...payload]);
  new DataView(payload.buffer).setUint16(at, internetChecksum(pseudo) || 0xffff);
  return payload;
}

/** RFC 1071, of an even number of bytes. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2) {
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
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
