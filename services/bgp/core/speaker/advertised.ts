import type { Prefix } from '@calico/ip';
import type { LocRib } from '../rib/loc_rib.ts';
import type { Reader } from '../rib/out_reader.ts';
import type { PathData } from '../rib/path.ts';
import type { UpdateGroup } from './update_group.ts';

/** What one peer is told: its part of its update group's Adj-RIB-Out. */
export class Advertised {
  readonly #rib: LocRib;
  readonly reader: Reader;
  readonly group: UpdateGroup | undefined;

  constructor(rib: LocRib, reader: Reader, group: UpdateGroup | undefined) {
    this.#rib = rib;
    this.reader = reader;
    this.group = group;
  }

  /** Routes that the peer knows, or will as soon as it takes more. */
  get size(): number {
    return this.group?.out.countFor(this.reader) ?? 0;
  }

  /** What the peer has been told last, if it is still so. */
  get(prefix: Prefix): PathData | undefined {
    const id = this.#rib.prefixes.find(prefix);
    return id < 0 ? undefined : this.group?.out.get(id, this.reader);
  }

  /** What the peer has been told last of all paths to the prefix of a number. */
  allTo(prefix: number): PathData[] {
    return this.group?.out.allTo(prefix, this.reader) ?? [];
  }

  entries(): Iterable<{ readonly prefix: Prefix; readonly data: PathData }> {
    return this.group?.out.entries(this.reader) ?? [];
  }
}
