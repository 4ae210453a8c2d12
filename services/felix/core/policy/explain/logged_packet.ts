// What the beginning of a packet says about its connection.
import { type Address, addressFromBytes } from '@calico/ip';

export type LoggedFlow = {
  readonly source: Address;
  readonly destination: Address;
  readonly protocol: number;
  /** Ports are 0 for protocols without ports, and for later fragments. */
  readonly destinationPort: number;
  readonly sourcePort: number;
};

const NO_PORTS = { sourcePort: 0, destinationPort: 0 };
const WITH_PORTS = [6, 17, 132];
const IPV4_OFFSET_MASK = 0x1fff;

/** Undefined when it is no IP packet, or cut off within its header. Extension headers of IPv6 are not looked into. */
export function readLoggedPacket(bytes: Uint8Array): LoggedFlow | undefined {
  const version = (bytes[0] ?? 0) >>> 4;
  if (version === 4 && bytes.length >= 20) return ipv4(bytes);
  return version === 6 && bytes.length >= 40 ? ipv6(bytes) : undefined;
}

function ipv4(bytes: Uint8Array): LoggedFlow {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const protocol = bytes[9] ?? 0;
  const isFirst = (view.getUint16(6) & IPV4_OFFSET_MASK) === 0;
  return {
    source: addressFromBytes(bytes.slice(12, 16)),
    destination: addressFromBytes(bytes.slice(16, 20)),
    protocol,
    ...(isFirst ? portsAt(view, protocol, ((bytes[0] ?? 0) & 15) * 4) : NO_PORTS),
  };
}

function ipv6(bytes: Uint8Array): LoggedFlow {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const protocol = bytes[6] ?? 0;
  return {
    source: addressFromBytes(bytes.slice(8, 24)),
    destination: addressFromBytes(bytes.slice(24, 40)),
    protocol,
    ...portsAt(view, protocol, 40),
  };
}

function portsAt(view: DataView, protocol: number, header: number): typeof NO_PORTS {
  if (!WITH_PORTS.includes(protocol) || view.byteLength < header + 4) return NO_PORTS;
  return { sourcePort: view.getUint16(header), destinationPort: view.getUint16(header + 2) };
}
