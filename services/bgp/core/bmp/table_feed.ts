import {
  DEFAULT_CONTEXT,
  encodeAnnouncement,
  encodeMessage,
  encodeWithdrawal,
  endOfRib,
  type Nlri,
  type WireContext,
} from '@calico/bgp-wire';
import type { Family, Prefix } from '@calico/ip';
import type { PathData } from '../rib/path.ts';
import { type PrefixKey, prefixKey } from '../rib/prefix_key.ts';
import { FAMILIES } from '../speaker/config.ts';

/** Prefixes per batch: a few messages, a few milliseconds. */
const BATCH = 512;

/** Prefixes of a table, each once or more; undefined now and then, also where there are none for long. */
export type TableWalk = Iterable<Prefix | undefined>;

export type FeedPath = {
  /** Of the peer; 0 where it gives its paths none. */
  readonly pathId: number;
  readonly data: PathData;
};

type Told = { readonly prefix: Prefix; readonly paths: readonly FeedPath[] };

/**
 * One table on its way to the collector: what has been told, and which prefixes may have changed since. Only
 * the last state of a prefix is told, so a collector that is slow costs one entry per prefix at most.
 */
export class TableFeed {
  readonly #lookup: (prefix: Prefix) => readonly FeedPath[];
  readonly #identified: readonly Family[];
  readonly #context: WireContext;
  readonly #told = new Map<PrefixKey, Told>();
  readonly #changed = new Map<PrefixKey, Prefix>();
  readonly #walk: () => TableWalk;
  /** What is left of a walk over everything; undefined: nothing. */
  #rest: Iterator<Prefix | undefined> | undefined;
  #owesEndOfRib = true;

  /**
   * @param walk goes through all that there is, while it changes
   * @param identified families whose prefixes have path identifiers (RFC 7911), as the session's OPENs say
   */
  constructor(
    lookup: (prefix: Prefix) => readonly FeedPath[],
    walk: () => TableWalk,
    identified: readonly Family[] = [],
  ) {
    this.#lookup = lookup;
    this.#identified = identified;
    this.#context = { ...DEFAULT_CONTEXT, addPath: identified };
    this.#walk = walk;
    this.#rest = walk()[Symbol.iterator]();
  }

  get hasWork(): boolean {
    return this.#owesEndOfRib || this.#changed.size > 0 || this.#rest !== undefined;
  }

  /** The prefix may have changed. */
  touch(prefix: Prefix): void {
    this.#changed.set(prefixKey(prefix), prefix);
  }

  /** Everything may have changed, and gone. */
  reconsider(): void {
    this.#rest = this.#all();
  }

  *#all(): Generator<Prefix | undefined, void, undefined> {
    for (const { prefix } of this.#told.values()) yield prefix;
    yield* this.#walk();
  }

  /** What may have changed, up to a batch of it; nobody waits long for it. */
  *#due(): Generator<readonly [PrefixKey, Prefix], void, undefined> {
    let left = BATCH;
    for (const entry of this.#changed) {
      if (left-- === 0) return;
      this.#changed.delete(entry[0]);
      yield entry;
    }
    while (this.#rest !== undefined && left-- > 0) {
      const { done, value: prefix } = this.#rest.next();
      if (done) this.#rest = undefined;
      else if (prefix === undefined) return;
      else yield [prefixKey(prefix), prefix];
    }
  }

  /**
   * Without identifiers one path at most. A peer that has come back without them may have left several,
   * until they are swept: what it says now has none.
   */
  #pathsOf(prefix: Prefix): readonly FeedPath[] {
    const paths = this.#lookup(prefix);
    if (this.#identified.includes(prefix.family)) return paths;
    const path = paths.find(({ pathId }) => pathId === 0) ?? paths[0];
    return path === undefined ? [] : [{ pathId: 0, data: path.data }];
  }

  /** The next UPDATE messages, maybe none; after the first time that nothing is left, End-of-RIB. */
  take(): Uint8Array[] {
    const withdrawn: Record<Family, Nlri[]> = { 4: [], 6: [] };
    const announced = new Map<PathData, Nlri[]>();
    for (const [key, prefix] of this.#due()) {
      const paths = this.#pathsOf(prefix);
      const told = this.#told.get(key)?.paths ?? [];
      for (const { pathId } of told) {
        if (!paths.some((path) => path.pathId === pathId)) {
          withdrawn[prefix.family].push({ prefix, pathId });
        }
      }
      for (const { pathId, data } of paths) {
        if (told.some((path) => path.pathId === pathId && path.data === data)) continue;
        const group = announced.get(data);
        if (group === undefined) announced.set(data, [{ prefix, pathId }]);
        else group.push({ prefix, pathId });
      }
      if (paths.length === 0) this.#told.delete(key);
      else this.#told.set(key, { prefix, paths });
    }
    const messages = FAMILIES.flatMap((family) =>
      encodeWithdrawal(family, withdrawn[family], this.#context),
    );
    for (const [data, nlri] of announced)
      messages.push(...announcements(data, nlri, this.#context));
    if (this.#owesEndOfRib && this.#changed.size === 0 && this.#rest === undefined) {
      this.#owesEndOfRib = false;
      messages.push(...FAMILIES.map((family) => encodeMessage(endOfRib(family))));
    }
    return messages;
  }
}

function announcements(data: PathData, all: readonly Nlri[], context: WireContext): Uint8Array[] {
  return FAMILIES.flatMap((family) => {
    const nlri = all.filter(({ prefix }) => prefix.family === family);
    const announcement = { family, ...data, nlri };
    try {
      return encodeAnnouncement(announcement, context);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
    try {
      // Attributes that came in an extended message.
      return encodeAnnouncement(announcement, { ...context, extendedMessages: true });
    } catch (cause) {
      // AS numbers of two octets filled one, or policy has added something: that fits no message.
      if (!(cause instanceof RangeError)) throw cause;
      return encodeWithdrawal(family, nlri, context);
    }
  });
}
