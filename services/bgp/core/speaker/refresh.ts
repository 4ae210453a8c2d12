// A peer sends its table again (RFC 7313): what it does not renew goes.
import { familyOf, RefreshSubtype, type RouteRefresh } from '@calico/bgp-wire';
import { queueRefresh } from './outbound.ts';
import type { Peer } from './peer.ts';

/** Begin makes routes stale, End takes out those that still are: how many have gone. */
export function takeRefresh(peer: Peer, { afi, safi, subtype }: RouteRefresh): number {
  const { live, received } = peer;
  const family = familyOf(afi, safi);
  if (family === undefined || !live?.negotiated.families.includes(family)) return 0;
  const { canRefreshEnhanced, gracefulRestart } = live.negotiated;
  if (subtype === RefreshSubtype.Request) {
    queueRefresh(peer, live, family);
  } else if (subtype === RefreshSubtype.Begin && canRefreshEnhanced) {
    // RFC 7313 section 4: until End-of-RIB, the first table is still on its way.
    if (gracefulRestart !== undefined && !live.complete.has(family)) return 0;
    live.refreshing.add(family);
    received.markStale([family]);
  } else if (subtype === RefreshSubtype.End && live.refreshing.delete(family)) {
    return received.sweep([family]);
  }
  return 0;
}
