// MRT records as values: RFC 6396, path identifiers RFC 8050.
import type { Address, Family, Prefix } from '@calico/ip';
import type { PathAttributes } from '../attributes.ts';

export const MrtType = { TableDumpV2: 13, Bgp4Mp: 16 } as const;

export const TableDumpSubtype = {
  PeerIndexTable: 1,
  RibIpv4Unicast: 2,
  RibIpv6Unicast: 4,
  RibIpv4UnicastAddPath: 8,
  RibIpv6UnicastAddPath: 10,
} as const;

/** RFC 6396 section 4.4, and with path identifiers RFC 8050. */
export const Bgp4MpSubtype = {
  Message: 1,
  MessageAs4: 4,
  StateChangeAs4: 5,
  MessageLocal: 6,
  MessageAs4Local: 7,
  MessageAddPath: 8,
  MessageAs4AddPath: 9,
  MessageLocalAddPath: 10,
  MessageAs4LocalAddPath: 11,
} as const;

/** States of a session in the numbers of RFC 6396 section 4.4.1. */
export const MrtState = { Idle: 1, OpenConfirm: 5, Established: 6 } as const;

/** Between whom a recorded session runs. */
export type MrtEnds = {
  readonly peerAsn: number;
  readonly localAsn: number;
  readonly interfaceIndex: number;
  readonly family: Family;
  readonly peerAddress: Address;
  readonly localAddress: Address;
};

export type MrtPeer = {
  /** 0.0.0.0 for this speaker's own routes. */
  readonly address: Address;
  readonly asn: number;
  readonly routerId: number;
};

export type MrtEntry = {
  /** Place in the peer index table before. */
  readonly peer: number;
  /** Seconds since the epoch. */
  readonly originated: number;
  /** Present in records with path identifiers. */
  readonly pathId?: number;
  /** Without the next hop. */
  readonly attributes: PathAttributes;
  readonly nextHop: Address | undefined;
};

/** `timestamp`: seconds since the epoch. */
export type MrtRecord =
  /** The first record of a dump. */
  | {
      readonly kind: 'peers';
      readonly timestamp: number;
      readonly routerId: number;
      readonly view: string;
      /** At most 65,535. */
      readonly peers: readonly MrtPeer[];
    }
  | {
      readonly kind: 'routes';
      readonly timestamp: number;
      readonly sequence: number;
      readonly prefix: Prefix;
      /** At most 65,535; all with path identifiers, or none. */
      readonly entries: readonly MrtEntry[];
    }
  /** A BGP message as it travelled. */
  | (MrtEnds & {
      readonly kind: 'message';
      readonly timestamp: number;
      /** The local end has sent it; absent: the peer. */
      readonly isLocal?: true;
      /** Absent: AS numbers have four octets. */
      readonly hasTwoOctetAs?: true;
      /** Absent: prefixes have no path identifiers. */
      readonly hasPathIds?: true;
      readonly message: Uint8Array;
    })
  | (MrtEnds & {
      readonly kind: 'state-change';
      readonly timestamp: number;
      readonly from: number;
      readonly to: number;
    });

/** The bytes are no MRT record that this codec reads. */
export class MrtError extends Error {
  override readonly name = 'MrtError';
}
