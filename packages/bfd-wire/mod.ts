export {
  BfdWireError,
  type ControlPacket,
  decodeControlPacket,
  encodeControlPacket,
} from './control_packet.ts';
export { BfdPort, BfdState, Diagnostic } from './iana.ts';
