// BGP Monitoring Protocol as values: RFC 7854, Loc-RIB instance RFC 9069.
import type { Address } from '@calico/ip';

export const BmpType = {
  RouteMonitoring: 0,
  StatisticsReport: 1,
  PeerDown: 2,
  PeerUp: 3,
  Initiation: 4,
  Termination: 5,
} as const;

/** What the message is about: the per-peer header of RFC 7854 section 4.2. */
export type BmpPeer = {
  /** Routes of a peer as it told them, those that policy let in, or the best routes of this speaker. */
  readonly table: 'pre-policy' | 'post-policy' | 'loc-rib';
  /** Undefined for the Loc-RIB. */
  readonly address: Address | undefined;
  readonly asn: number;
  readonly routerId: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
};

/** Section 4.8; RFC 9069 section 6.2. */
export const BmpStatistic = {
  /** Prefixes that import policy keeps out. */
  Rejected: 0,
  AdjRibIn: 7,
  LocRib: 8,
} as const;

/** Section 4.9. */
export const PeerDownReason = {
  LocalNotification: 1,
  LocalWithoutNotification: 2,
  RemoteNotification: 3,
  RemoteWithoutNotification: 4,
  NoLongerMonitored: 5,
  LocalSystemClosed: 6,
} as const;

export type BmpMessage =
  | { readonly kind: 'initiation'; readonly name: string; readonly description: string }
  | { readonly kind: 'termination'; readonly text: string }
  | {
      readonly kind: 'peer-up';
      readonly peer: BmpPeer;
      /** Undefined: unknown, and for the Loc-RIB. */
      readonly localAddress: Address | undefined;
      /** 0: unknown. */
      readonly localPort: number;
      /** 0: unknown. */
      readonly remotePort: number;
      /** Whole messages. */
      readonly sentOpen: Uint8Array;
      readonly receivedOpen: Uint8Array;
      /** Name of the table; of the Loc-RIB only. */
      readonly tableName?: string;
    }
  | {
      readonly kind: 'peer-down';
      readonly peer: BmpPeer;
      readonly reason: number;
      /** The whole NOTIFICATION, or two octets of the state machine's event. */
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'route-monitoring';
      readonly peer: BmpPeer;
      /** A whole UPDATE, AS numbers with four octets. */
      readonly update: Uint8Array;
    }
  | {
      readonly kind: 'statistics';
      readonly peer: BmpPeer;
      readonly values: readonly { readonly type: number; readonly value: number }[];
    };

/** The bytes are no BMP message; the stream is lost. */
export class BmpError extends Error {
  override readonly name = 'BmpError';
}
