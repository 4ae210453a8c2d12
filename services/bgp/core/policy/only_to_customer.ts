// Route leaks: what a provider or a peer has told is for customers only (RFC 9234 section 5).
import type { PathAttributes, Role } from '@calico/bgp-wire';

/** What this speaker is to an external peer. */
export type PeerRole = {
  readonly own: Role;
  /** The peer's AS number. */
  readonly remoteAsn: number;
};

/** Kept for good, as all reasons are: without a number that the peer has chosen. */
const LEAKED = 'leaked: told to customers only';

/** Why a route must have leaked on its way; undefined when it has not. */
export function importLeak(
  { onlyToCustomer }: PathAttributes,
  { own, remoteAsn }: PeerRole,
): string | undefined {
  if (onlyToCustomer === undefined) return undefined;
  if (own === 'provider' || own === 'route-server') return LEAKED;
  return own === 'peer' && onlyToCustomer !== remoteAsn ? LEAKED : undefined;
}

/** The reason with who has marked the route. */
export function leakText(reason: string, { onlyToCustomer }: PathAttributes): string {
  return reason === LEAKED ? `${reason} by AS ${onlyToCustomer}` : reason;
}

/** What a route of the peer is marked with; undefined when it stays as it is. */
export function importMark(
  { onlyToCustomer }: PathAttributes,
  { own, remoteAsn }: PeerRole,
): number | undefined {
  const isFromAbove = own === 'customer' || own === 'peer' || own === 'route-server-client';
  return isFromAbove && onlyToCustomer === undefined ? remoteAsn : undefined;
}

/** Why a route must not go to the peer; undefined when it may. */
export function exportLeak(
  { onlyToCustomer }: PathAttributes,
  { own }: PeerRole,
): string | undefined {
  const isUpwards = own === 'customer' || own === 'peer' || own === 'route-server-client';
  return isUpwards && onlyToCustomer !== undefined
    ? `AS ${onlyToCustomer} has told it to customers only`
    : undefined;
}

/** Whether a route that goes to the peer is marked with our AS number. */
export function isMarkedOnExport({ own }: PeerRole): boolean {
  return own === 'provider' || own === 'peer' || own === 'route-server';
}
