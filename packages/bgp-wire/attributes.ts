// Path attributes as values. The wire form is in attribute_decoder.ts and attribute_encoder.ts.
import type { Address } from '@calico/ip';
import type { AsPath } from './as_path.ts';
import type { LargeCommunity } from './communities.ts';
import type { Origin } from './iana.ts';

/** What a route carries besides its prefix. A field that is absent was not in the message. */
export type PathAttributes = {
  readonly origin?: Origin;
  readonly asPath?: AsPath;
  /** The NEXT_HOP attribute, IPv4 only; MP_REACH_NLRI carries its own. */
  readonly nextHop?: Address;
  readonly multiExitDiscriminator?: number;
  readonly localPreference?: number;
  readonly atomicAggregate?: true;
  readonly aggregator?: Aggregator;
  readonly communities?: readonly number[];
  /** Router id, RFC 4456. */
  readonly originatorId?: number;
  readonly clusterList?: readonly number[];
  readonly extendedCommunities?: readonly bigint[];
  readonly largeCommunities?: readonly LargeCommunity[];
  /** AS number that first sent the route to a customer or peer, RFC 9234. */
  readonly onlyToCustomer?: number;
  /** Optional attributes that are not known here, in the order of their type. */
  readonly unknown?: readonly UnknownAttribute[];
};

export type Aggregator = { readonly asn: number; readonly routerId: number };

export type UnknownAttribute = {
  /** Without the extended length bit. */
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
};

/** What RFC 7606 section 2 asks the receiver to do; a session reset is thrown instead. */
export type Treatment = 'attribute-discard' | 'treat-as-withdraw';

/** A fault of an UPDATE that does not end the session. */
export type AttributeProblem = {
  readonly treatment: Treatment;
  /** Attribute type; 0 when the list of attributes itself is at fault. */
  readonly type: number;
  readonly message: string;
};
