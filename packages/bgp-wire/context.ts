import type { Family } from '@calico/ip';
import { Afi, Safi } from './iana.ts';

/** What the two OPEN messages of a session agreed on, as far as it changes how bytes are read. */
export type WireContext = {
  /** AS numbers have four octets (RFC 6793). */
  readonly fourOctetAs: boolean;
  /** Messages may have up to 65,535 bytes (RFC 8654). */
  readonly extendedMessages: boolean;
  /** Families whose NLRI carry a path identifier in this direction (RFC 7911). */
  readonly addPath: readonly Family[];
  /** Some attributes are taken from internal peers only (RFC 4271 5.1.5, RFC 4456). */
  readonly peerKind: 'internal' | 'external';
};

export const DEFAULT_CONTEXT: WireContext = {
  fourOctetAs: true,
  extendedMessages: false,
  addPath: [],
  peerKind: 'internal',
};

/** The address family of unicast AFI and SAFI; undefined for any other pair. */
export function familyOf(afi: number, safi: number): Family | undefined {
  if (safi !== Safi.Unicast) return undefined;
  return afi === Afi.Ipv4 ? 4 : afi === Afi.Ipv6 ? 6 : undefined;
}

export function afiOf(family: Family): number {
  return family === 4 ? Afi.Ipv4 : Afi.Ipv6;
}
