import type { IntQueue } from './columns.ts';

/** Where a reader is: it has been told everything up to this entry. */
export type Place = { entry: number; version: number };

/** Reads an Adj-RIB-Out: a peer of an update group. */
export class Reader {
  readonly place: Place = { entry: 0, version: 0 };
  /** Its row among the sources: it is not told what it has said itself. */
  readonly source: number;
  /** The last version that it has been told, also before it began anew: what came later it does not know. */
  reached = 0;
  /** Entries that are gone and kept for it, as others have left it far behind; undefined: they have not. */
  waiting: IntQueue | undefined;

  constructor(source: number) {
    this.source = source;
  }
}
