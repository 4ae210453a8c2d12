// BGP-4 messages as values and as bytes. Pure; what a session negotiated comes in as WireContext.
export {
  type AsPath,
  type AsSegment,
  asPathContains,
  asPathLength,
  formatAsPath,
  hasMembers,
  hasSets,
  neighbourAs,
  prependAs,
  prependMember,
  withoutMembers,
} from './as_path.ts';
export { AttributeDecoder, type DecodedAttributes } from './attribute_decoder.ts';
export { encodeAttributes } from './attribute_encoder.ts';
export { type AttributeRewrite, AttributeRewriter } from './attribute_rewriter.ts';
export { AttributeScanner, hasAs } from './attribute_scanner.ts';
export type {
  Aggregator,
  AttributeProblem,
  PathAttributes,
  Treatment,
  UnknownAttribute,
} from './attributes.ts';
export { BmpFramer, decodeBmp } from './bmp/decode.ts';
export { encodeBmp } from './bmp/encode.ts';
export {
  BmpError,
  type BmpMessage,
  type BmpPeer,
  BmpStatistic,
  PeerDownReason,
} from './bmp/types.ts';
export { joinBytes } from './bytes.ts';
export {
  type AddPathFamily,
  type AddressFamily,
  type Capability,
  encodeCapability,
  type GracefulRestart,
  ROLES,
  type Role,
} from './capabilities.ts';
export {
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  type LargeCommunity,
  WELL_KNOWN_COMMUNITIES,
} from './communities.ts';
export { afiOf, DEFAULT_CONTEXT, familyOf, type WireContext } from './context.ts';
export { ProtocolError } from './errors.ts';
export {
  encodeFrame,
  type Frame,
  HEADER_LENGTH,
  MAX_EXTENDED_MESSAGE_LENGTH,
  MAX_MESSAGE_LENGTH,
  MessageFramer,
} from './framing.ts';
export {
  Afi,
  AS_TRANS,
  AttributeFlag,
  AttributeType,
  CapabilityCode,
  CeaseSubcode,
  Community,
  ErrorCode,
  HeaderError,
  MessageType,
  OpenError,
  Origin,
  Safi,
  StateMachineError,
  UpdateError,
} from './iana.ts';
export {
  decodeMessage,
  encodeMessage,
  KEEPALIVE,
  type Keepalive,
  type Message,
  typeOf,
} from './message.ts';
export { decodeMrt } from './mrt/decode.ts';
export { encodeMrt, fitsMrt } from './mrt/encode.ts';
export {
  type MrtEnds,
  type MrtEntry,
  MrtError,
  type MrtPeer,
  type MrtRecord,
  MrtState,
} from './mrt/types.ts';
export type { Reachable, Unreachable } from './multiprotocol.ts';
export type { Nlri } from './nlri.ts';
export {
  cease,
  describeNotification,
  hardReset,
  isHardReset,
  type Notification,
} from './notification.ts';
export type { Open } from './open.ts';
export { type Announcement, encodeAnnouncement, encodeWithdrawal } from './packing.ts';
export { RefreshSubtype, type RouteRefresh } from './route_refresh.ts';
export { formatRouterId, parseRouterId } from './router_id.ts';
export { endOfRib, endOfRibOf, type Update } from './update.ts';
export { type MpFields, NlriCursor, type Span, UpdateFields } from './update_fields.ts';
export { UpdatePacker } from './update_packer.ts';
