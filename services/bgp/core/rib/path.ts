import type { PathAttributes } from '@calico/bgp-wire';
import type { Address, Prefix } from '@calico/ip';

/** What all prefixes of one UPDATE share. */
export type PathData = {
  /** Without the next hop. */
  readonly attributes: PathAttributes;
  readonly nextHop: Address;
};

export type PathSource =
  | {
      readonly kind: 'local';
      /** Who has injected the path; absent: it is this node's own. */
      readonly client?: string;
      /** Stands for routes inside of it. */
      readonly isAggregate?: true;
      /** The address of a service. */
      readonly isService?: true;
    }
  | {
      readonly kind: 'peer';
      readonly peer: string;
      readonly address: Address;
      readonly routerId: number;
      readonly isInternal: boolean;
      /** In another member AS of our confederation. */
      readonly isMember?: boolean;
      /** Client of this route reflector. */
      readonly isClient: boolean;
      /** Where link-local next hops of this peer are. */
      readonly interface?: string;
    };

/** A path as people and filters see it; the tables hold rows of numbers. */
export type Path = {
  readonly prefix: Prefix;
  readonly data: PathData;
  readonly source: PathSource;
  /** Its row: tells paths of one table apart at one time. */
  readonly row: number;
  /** RFC 7911; 0 when the peer does not send identifiers. */
  readonly pathId: number;
  /** What the peer has told; absent when import policy left it as it was. */
  readonly received?: PathData;
};

export const DEFAULT_LOCAL_PREFERENCE = 100;

export const LOCAL_SOURCE: PathSource = { kind: 'local' };
