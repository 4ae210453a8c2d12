import { Community } from '@calico/bgp-wire';
import type { LocRib } from '../rib/loc_rib.ts';
import { PathFlag } from '../rib/path_table.ts';
import type { Peer } from './peer.ts';

/** What would be lost with a peer's session. */
export type Coverage = {
  readonly isEstablished: boolean;
  /** Each of its routes has come another way, too. */
  readonly isCovered: boolean;
  /** It says that it can do without ours: all its routes, one at least, are marked (RFC 8326). */
  readonly releasesUs: boolean;
  /** Routes that it has from us. */
  readonly told: number;
};

/** @param parting peers whose routes do not count as another way */
export function coverageOf(rib: LocRib, peer: Peer, parting: ReadonlySet<Peer>): Coverage {
  const { paths, attributes } = rib;
  const { source } = peer.received;
  const others = new Set(Array.from(parting, ({ received }) => received.source));
  const hasOtherWay = (prefix: number): boolean => {
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      if (others.has(paths.sourceOf(row)) || !paths.isUsable(row)) continue;
      if (!paths.is(row, PathFlag.Stale)) return true;
    }
    return false;
  };
  let isCovered = true;
  let marked = 0;
  let heard = 0;
  for (let row = 0; row < paths.limit; row++) {
    if (!paths.has(row) || paths.sourceOf(row) !== source || !paths.isUsable(row)) continue;
    heard += 1;
    const { communities } = attributes.dataOf(paths.receivedOf(row)).attributes;
    if (communities?.includes(Community.GracefulShutdown)) marked += 1;
    isCovered &&= hasOtherWay(paths.prefixOf(row));
  }
  return {
    isEstablished: peer.live !== undefined,
    isCovered,
    releasesUs: heard > 0 && marked === heard,
    told: peer.advertised.size,
  };
}
