// Numbers from the IANA registry "Border Gateway Protocol (BGP) Parameters".

export const MessageType = {
  Open: 1,
  Update: 2,
  Notification: 3,
  Keepalive: 4,
  RouteRefresh: 5,
} as const;

export const ErrorCode = {
  Header: 1,
  Open: 2,
  Update: 3,
  HoldTimer: 4,
  FiniteStateMachine: 5,
  Cease: 6,
  RouteRefresh: 7,
  /** RFC 9687. */
  SendHoldTimer: 8,
} as const;

/** RFC 4271 section 6.1. */
export const HeaderError = {
  NotSynchronized: 1,
  BadLength: 2,
  BadType: 3,
} as const;

/** RFC 4271 section 6.2, RFC 5492 section 5. */
export const OpenError = {
  Unspecific: 0,
  UnsupportedVersion: 1,
  BadPeerAs: 2,
  BadIdentifier: 3,
  UnsupportedParameter: 4,
  UnacceptableHoldTime: 6,
  UnsupportedCapability: 7,
  /** RFC 9234. */
  RoleMismatch: 11,
} as const;

/** RFC 4271 section 6.3. */
export const UpdateError = {
  MalformedAttributeList: 1,
  UnrecognizedWellKnown: 2,
  MissingWellKnown: 3,
  AttributeFlags: 4,
  AttributeLength: 5,
  InvalidOrigin: 6,
  InvalidNextHop: 8,
  OptionalAttribute: 9,
  InvalidNetworkField: 10,
  MalformedAsPath: 11,
} as const;

/** RFC 6608. */
export const StateMachineError = {
  InOpenSent: 1,
  InOpenConfirm: 2,
  InEstablished: 3,
} as const;

/** RFC 4486, RFC 8538, RFC 9384. */
export const CeaseSubcode = {
  MaximumPrefixes: 1,
  AdministrativeShutdown: 2,
  PeerDeconfigured: 3,
  AdministrativeReset: 4,
  ConnectionRejected: 5,
  OtherConfigurationChange: 6,
  ConnectionCollision: 7,
  OutOfResources: 8,
  HardReset: 9,
  BfdDown: 10,
} as const;

export const AttributeType = {
  Origin: 1,
  AsPath: 2,
  NextHop: 3,
  MultiExitDiscriminator: 4,
  LocalPreference: 5,
  AtomicAggregate: 6,
  Aggregator: 7,
  Communities: 8,
  OriginatorId: 9,
  ClusterList: 10,
  MpReach: 14,
  MpUnreach: 15,
  ExtendedCommunities: 16,
  As4Path: 17,
  As4Aggregator: 18,
  LargeCommunities: 32,
  OnlyToCustomer: 35,
} as const;

/** First octet of a path attribute: RFC 4271 section 4.3. */
export const AttributeFlag = {
  Optional: 0x80,
  Transitive: 0x40,
  Partial: 0x20,
  ExtendedLength: 0x10,
} as const;

export const CapabilityCode = {
  Multiprotocol: 1,
  RouteRefresh: 2,
  ExtendedNextHop: 5,
  ExtendedMessage: 6,
  Role: 9,
  GracefulRestart: 64,
  FourOctetAs: 65,
  AddPath: 69,
  EnhancedRouteRefresh: 70,
  LongLivedGracefulRestart: 71,
} as const;

export const Afi = { Ipv4: 1, Ipv6: 2 } as const;
export const Safi = { Unicast: 1 } as const;

/** Stands for an AS number that does not fit two octets: RFC 6793 section 9. */
export const AS_TRANS = 23456;

export const Origin = { Igp: 0, Egp: 1, Incomplete: 2 } as const;
export type Origin = (typeof Origin)[keyof typeof Origin];

/** Well-known communities: RFC 1997, RFC 3765, RFC 7999, RFC 8326, RFC 9494. */
export const Community = {
  GracefulShutdown: 0xffff_0000,
  LongLivedStale: 0xffff_0006,
  NoLongLived: 0xffff_0007,
  Blackhole: 0xffff_029a,
  NoExport: 0xffff_ff01,
  NoAdvertise: 0xffff_ff02,
  NoExportSubconfed: 0xffff_ff03,
  /** Is not acted on: it says something about networks that peer for free, not about a cluster. */
  NoPeer: 0xffff_ff04,
} as const;
