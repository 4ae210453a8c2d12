// The tables that clients may look at, prefix by prefix: so a lookup makes the rows of one prefix, and whoever looks for
// some prefixes decodes no others.
import type { Prefix } from '@calico/ip';
import type { LocRib } from '../core/rib/loc_rib.ts';
import type { Path, PathData, PathSource } from '../core/rib/path.ts';
import { PathFlag } from '../core/rib/path_table.ts';
import type { Peer } from '../core/speaker/peer.ts';

export type Row = {
  readonly prefix: Prefix;
  readonly data: PathData;
  readonly source: PathSource | undefined;
  readonly isBest: boolean;
  readonly isMultipath?: boolean;
  readonly isStale?: boolean;
  readonly rejectedBecause?: string;
};

/** Prefixes are given by their numbers. */
export type RouteTable = {
  readonly has: (prefix: number) => boolean;
  /** None where has() says no. */
  readonly rowsOf: (prefix: number) => readonly Row[];
};

export function locRib(rib: LocRib): RouteTable {
  const { paths } = rib;
  const has = (id: number): boolean => {
    if (rib.bestOf(id) < 0) return false;
    for (let row = paths.firstOf(id); row >= 0; row = paths.nextOf(row)) {
      if (paths.isUsable(row)) return true;
    }
    return false;
  };
  return {
    has,
    rowsOf: (id) => {
      if (!has(id)) return [];
      const { candidates = [], best } = rib.entryOf(id) ?? {};
      return candidates.map((path) => {
        const isStale = paths.is(path.row, PathFlag.Stale);
        const isBest = path === best;
        const isMultipath = !isBest && paths.is(path.row, PathFlag.Used);
        return { ...rowOf(path, isBest), isStale, isMultipath };
      });
    },
  };
}

/** As import policy has let it in. */
export function received(rib: LocRib, { received: table }: Peer): RouteTable {
  const { paths } = rib;
  const rowsOf = (id: number): number[] => table.rowsOf(id).filter((row) => paths.isLetIn(row));
  return {
    has: (id) => rowsOf(id).length > 0,
    rowsOf: (id) => rowsOf(id).map((row) => receivedRow(rib, row)),
  };
}

/** As the peer has told it, also what import policy has kept out. */
export function receivedBeforePolicy(rib: LocRib, { received: table }: Peer): RouteTable {
  const { paths, reasons } = rib;
  const rawRow = (row: number): Row => {
    const { data, received: raw = data } = rib.pathOf(row);
    const found = { ...receivedRow(rib, row), data: raw };
    if (!paths.isRefused(row)) return found;
    return { ...found, rejectedBecause: reasons.textOf(-1 - paths.attributesOf(row)) };
  };
  return {
    has: (id) => table.rowsOf(id).length > 0,
    rowsOf: (id) => table.rowsOf(id).map(rawRow),
  };
}

export function told(rib: LocRib, { advertised }: Peer): RouteTable {
  return {
    has: (id) => advertised.allTo(id).length > 0,
    rowsOf: (id) =>
      advertised.allTo(id).map((data) => {
        return { prefix: rib.prefixes.prefixOf(id), data, source: undefined, isBest: true };
      }),
  };
}

function receivedRow(rib: LocRib, row: number): Row {
  const { paths } = rib;
  const isBest = rib.bestOf(paths.prefixOf(row)) === row && paths.isUsable(row);
  return { ...rowOf(rib.pathOf(row), isBest), isStale: paths.is(row, PathFlag.Stale) };
}

function rowOf({ prefix, data, source }: Path, isBest: boolean): Row {
  return { prefix, data, source, isBest };
}
