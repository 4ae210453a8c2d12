// Numbers of RFC 5880 section 4.1, RFC 5881 section 4 and RFC 5883 section 5.

export const BfdState = { AdminDown: 0, Down: 1, Init: 2, Up: 3 } as const;
export type BfdState = (typeof BfdState)[keyof typeof BfdState];

export const Diagnostic = {
  None: 0,
  DetectionTimeExpired: 1,
  EchoFailed: 2,
  NeighborSignaledDown: 3,
  ForwardingPlaneReset: 4,
  PathDown: 5,
  ConcatenatedPathDown: 6,
  AdministrativelyDown: 7,
  ReverseConcatenatedPathDown: 8,
} as const;

/** UDP destination ports. */
export const BfdPort = { SingleHop: 3784, Multihop: 4784 } as const;
