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

/** Whether a prefix has another path, and one through a next hop that the kernel reaches. */
type Way = 'none' | 'cut off' | 'usable';

type Tally = { heard: number; marked: number; isCovered: boolean };

/**
 * By key, in one walk over the table.
 * @param parting peers that all go: the routes of one are no other way for those of another
 */
export function coverageOf(rib: LocRib, parting: readonly Peer[]): Map<string, Coverage> {
  const { paths, prefixes, attributes } = rib;
  const tallies = new Map<number, Tally>(
    parting.map(({ received }) => [received.source, { heard: 0, marked: 0, isCovered: true }]),
  );
  const marks = new Map<number, boolean>();
  const isMarked = (id: number): boolean => {
    const known = marks.get(id);
    if (known !== undefined) return known;
    const { communities } = attributes.dataOf(id).attributes;
    const mark = communities?.includes(Community.GracefulShutdown) ?? false;
    marks.set(id, mark);
    return mark;
  };
  const otherWayTo = (prefix: number): Way => {
    let way: Way = 'none';
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      if (tallies.has(paths.sourceOf(row)) || !paths.isLetIn(row)) continue;
      if (paths.is(row, PathFlag.Stale)) continue;
      if (paths.isUsable(row)) return 'usable';
      way = 'cut off';
    }
    return way;
  };
  for (let prefix = 0; prefix < prefixes.limit; prefix++) {
    if (!prefixes.has(prefix)) continue;
    const other = otherWayTo(prefix);
    for (let row = paths.firstOf(prefix); row >= 0; row = paths.nextOf(row)) {
      const tally = tallies.get(paths.sourceOf(row));
      if (tally === undefined || !paths.isLetIn(row)) continue;
      tally.heard += 1;
      if (isMarked(paths.receivedOf(row))) tally.marked += 1;
      // What the kernel cannot reach now need not be reached the other way.
      if (other === 'none' || (other === 'cut off' && paths.isUsable(row))) tally.isCovered = false;
    }
  }
  return new Map(
    parting.map(({ config, live, received, advertised }) => {
      const tally = tallies.get(received.source);
      const { heard = 0, marked = 0, isCovered = true } = tally ?? {};
      const coverage: Coverage = {
        isEstablished: live !== undefined,
        isCovered,
        releasesUs: heard > 0 && marked === heard,
        told: advertised.size,
      };
      return [config.key, coverage];
    }),
  );
}
