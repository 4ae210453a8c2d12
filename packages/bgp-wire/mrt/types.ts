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

export const Bgp4MpSubtype = { MessageAs4: 4 } as const;

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
  /** A BGP message as it travelled, AS numbers with four octets. */
  | {
      readonly kind: 'message';
      readonly timestamp: number;
      readonly peerAsn: number;
      readonly localAsn: number;
      readonly interfaceIndex: number;
      readonly family: Family;
      readonly peerAddress: Address;
      readonly localAddress: Address;
      readonly message: Uint8Array;
    };

/** The bytes are no MRT record that this codec reads. */
export class MrtError extends Error {
  override readonly name = 'MrtError';
}
