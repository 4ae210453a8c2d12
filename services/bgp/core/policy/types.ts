import type { Address, Prefix } from '@calico/ip';
import type { PeerRole } from './only_to_customer.ts';
import type { CommunitySet, PeerFilters } from './route_filter.ts';

/** What policy knows of this speaker. */
export type LocalPolicy = {
  readonly asn: number;
  readonly routerId: number;
  /** Own address per family; undefined when the node has none. */
  readonly address: Readonly<Record<4 | 6, Address | undefined>>;
  /** The network that the node's address is configured with. */
  readonly subnet: Readonly<Record<4 | 6, Prefix | undefined>>;
  /** Makes this speaker a route reflector (RFC 4456). */
  readonly clusterId: number | undefined;
  /** AS number that the outside knows the confederation by (RFC 5065); absent: there is none. */
  readonly confederation?: number;
  /** Paths with sets of AS numbers are taken in, and told; absent: neither (RFC 9774). */
  readonly takesAsSets?: true;
  /** External peers are told these in place of what lies inside; absent: there are none. */
  readonly aggregates?: readonly Prefix[];
  readonly pools: readonly PoolPolicy[];
  readonly advertisements: readonly Advertisement[];
  /** Addresses of services outside of the pools, which a reflector passes on. */
  readonly serviceRanges: readonly Prefix[];
};

/** Communities that routes inside a prefix leave this node with. */
export type Advertisement = { readonly prefix: Prefix; readonly add: CommunitySet };

export type PoolPolicy = {
  readonly prefix: Prefix;
  readonly isEnabled: boolean;
  readonly isExported: boolean;
};

/** What policy knows of a peer. */
export type PeerPolicy = {
  readonly address: Address;
  readonly isInternal: boolean;
  /** In another member AS of our confederation; `isInternal` is false then. */
  readonly isMember?: boolean;
  readonly isReflectorClient: boolean;
  readonly nextHopMode: 'Auto' | 'Self' | 'Keep';
  /** Our AS as this peer knows it. */
  readonly localAsn: number;
  /** Our AS behind `localAsn` in what an external peer is sent, and a loop in what it tells; absent: neither. */
  readonly shownAsn?: number;
  /** What the peer tells is taken in with `localAsn` in front. */
  readonly prependsReceived?: true;
  /** How often our own AS may occur in a path. */
  readonly allowedOwnAs: number;
  readonly filters: PeerFilters;
  /** The session has agreed that IPv4 routes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop?: boolean;
  /** Our address towards the peer; absent: the node's. */
  readonly ownAddress?: Address;
  /** Our address on the link that the session runs on; absent unless it is link-local. */
  readonly linkLocal?: Address;
  /** Name of that link. */
  readonly onLink?: string;
  /** The session is about to end, and this speaker has all the peer's routes another way. */
  readonly isDispensable?: boolean;
  /** The peer knows routes that have been stale for long (RFC 9494). */
  readonly knowsLongLived?: boolean;
  /** External peers only; absent: none is configured (RFC 9234). */
  readonly role?: PeerRole;
};
