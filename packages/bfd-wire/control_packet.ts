// BFD control packet: RFC 5880 section 4.1, with the checks of section 6.8.6 that need no session.
//
//    0                   1                   2                   3
//   |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//   |                       My Discriminator                        |
//   |                      Your Discriminator                       |
//   |                    Desired Min TX Interval                    |
//   |                   Required Min RX Interval                    |
//   |                 Required Min Echo RX Interval                 |
import { BfdState } from './iana.ts';

const CONTROL_PACKET_LENGTH = 24;

const VERSION = 1;
const POLL = 0x20;
const FINAL = 0x10;
const CONTROL_PLANE_INDEPENDENT = 0x08;
const AUTHENTICATION = 0x04;
const DEMAND = 0x02;
const MULTIPOINT = 0x01;

export type ControlPacket = {
  /** 0 to 31; see `Diagnostic`. */
  readonly diagnostic: number;
  readonly state: BfdState;
  readonly isPoll: boolean;
  readonly isFinal: boolean;
  /** The sender's BFD outlives its control plane. */
  readonly isControlPlaneIndependent: boolean;
  /** An authentication section follows. It is not decoded, and never encoded. */
  readonly hasAuthentication: boolean;
  readonly isDemand: boolean;
  /** 1 to 255. */
  readonly detectMultiplier: number;
  /** Never 0. */
  readonly myDiscriminator: number;
  /** 0: the sender has heard nothing yet. */
  readonly yourDiscriminator: number;
  /** Microseconds, as the following. */
  readonly desiredMinTransmit: number;
  /** 0: send nothing periodically. */
  readonly requiredMinReceive: number;
  readonly requiredMinEchoReceive: number;
};

/** The datagram is no control packet that RFC 5880 section 6.8.6 lets pass: discard it. */
export class BfdWireError extends Error {
  override readonly name = 'BfdWireError';
}

/** @throws BfdWireError */
export function decodeControlPacket(bytes: Uint8Array): ControlPacket {
  if (bytes.length < CONTROL_PACKET_LENGTH) {
    throw refused('datagram', bytes.length, `expected at least ${CONTROL_PACKET_LENGTH} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = view.getUint8(0);
  const flags = view.getUint8(1);
  const length = view.getUint8(3);
  const hasAuthentication = (flags & AUTHENTICATION) !== 0;
  const minimum = CONTROL_PACKET_LENGTH + (hasAuthentication ? 2 : 0);
  if (first >> 5 !== VERSION) throw refused('version', first >> 5, `expected ${VERSION}`);
  if (length < minimum || length > bytes.length) {
    throw refused('length', length, `expected ${minimum} to ${bytes.length}`);
  }
  if ((flags & MULTIPOINT) !== 0) throw refused('multipoint bit', 1, 'expected 0');
  const packet: ControlPacket = {
    diagnostic: first & 0x1f,
    state: (flags >> 6) as BfdState,
    isPoll: (flags & POLL) !== 0,
    isFinal: (flags & FINAL) !== 0,
    isControlPlaneIndependent: (flags & CONTROL_PLANE_INDEPENDENT) !== 0,
    hasAuthentication,
    isDemand: (flags & DEMAND) !== 0,
    detectMultiplier: view.getUint8(2),
    myDiscriminator: view.getUint32(4),
    yourDiscriminator: view.getUint32(8),
    desiredMinTransmit: view.getUint32(12),
    requiredMinReceive: view.getUint32(16),
    requiredMinEchoReceive: view.getUint32(20),
  };
  check(packet);
  return packet;
}

function check(packet: ControlPacket): void {
  const { detectMultiplier, myDiscriminator, yourDiscriminator, state } = packet;
  if (detectMultiplier === 0) throw refused('detection multiplier', 0, 'expected 1 to 255');
  if (myDiscriminator === 0) throw refused('my discriminator', 0, 'expected another number');
  if (yourDiscriminator === 0 && (state === BfdState.Init || state === BfdState.Up)) {
    throw refused('your discriminator', 0, 'expected ours in the states Init and Up');
  }
}

export function encodeControlPacket(packet: ControlPacket): Uint8Array {
  const bytes = new Uint8Array(CONTROL_PACKET_LENGTH);
  const view = new DataView(bytes.buffer);
  const flags =
    (packet.isPoll ? POLL : 0) |
    (packet.isFinal ? FINAL : 0) |
    (packet.isControlPlaneIndependent ? CONTROL_PLANE_INDEPENDENT : 0) |
    (packet.isDemand ? DEMAND : 0);
  view.setUint8(0, (VERSION << 5) | packet.diagnostic);
  view.setUint8(1, (packet.state << 6) | flags);
  view.setUint8(2, packet.detectMultiplier);
  view.setUint8(3, CONTROL_PACKET_LENGTH);
  view.setUint32(4, packet.myDiscriminator);
  view.setUint32(8, packet.yourDiscriminator);
  view.setUint32(12, packet.desiredMinTransmit);
  view.setUint32(16, packet.requiredMinReceive);
  view.setUint32(20, packet.requiredMinEchoReceive);
  return bytes;
}

function refused(field: string, value: number, expected: string): BfdWireError {
  return new BfdWireError(`Cannot read BFD packet: ${field} is "${value}", ${expected}`);
}
