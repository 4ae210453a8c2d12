export {
  BfdWireError,
  CONTROL_PACKET_LENGTH,
  type ControlPacket,
  decodeControlPacket,
  encodeControlPacket,
} from './control_packet.ts';
export { BfdPort, BfdState, Diagnostic, describeDiagnostic } from './iana.ts';
