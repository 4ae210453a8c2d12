import {
  DEFAULT_CONTEXT,
  encodeAnnouncement,
  encodeMessage,
  encodeWithdrawal,
  endOfRib,
  type WireContext,
} from '@calico/bgp-wire';
import type { Family, Prefix } from '@calico/ip';
import type { PathData } from '../rib/path.ts';
import { type PrefixKey, prefixKey } from '../rib/prefix_key.ts';
import { FAMILIES } from '../speaker/config.ts';

/** Prefixes per batch: a few messages. */
const BATCH = 1_024;
const LONG_MESSAGES: WireContext = { ...DEFAULT_CONTEXT, extendedMessages: true };

type Told = { readonly prefix: Prefix; readonly data: PathData };

/**
 * One table on its way to the collector: what has been told, and which prefixes may have changed since. Only
 * the last state of a prefix is told, so a collector that is slow costs one entry per prefix at most.
 */
export class TableFeed {
  readonly #lookup: (prefix: Prefix) => PathData | undefined;
  readonly #told = new Map<PrefixKey, Told>();
  readonly #changed = new Map<PrefixKey, Prefix>();
  #owesEndOfRib = true;

  constructor(lookup: (prefix: Prefix) => PathData | undefined, all: Iterable<Prefix>) {
    this.#lookup = lookup;
    for (const prefix of all) this.touch(prefix);
  }

  get hasWork(): boolean {
    return this.#owesEndOfRib || this.#changed.size > 0;
  }

  /** The prefix may have changed. */
  touch(prefix: Prefix): void {
    this.#changed.set(prefixKey(prefix), prefix);
  }

  /** Everything that was told may have gone. */
  touchTold(): void {
    for (const { prefix } of this.#told.values()) this.touch(prefix);
  }

  /** The next UPDATE messages; after the first time that nothing is left, End-of-RIB. */
  take(): Uint8Array[] {
    const withdrawn: Record<Family, { readonly prefix: Prefix }[]> = { 4: [], 6: [] };
    const announced = new Map<PathData, Prefix[]>();
    let count = 0;
    for (const [key, prefix] of this.#changed) {
      if (count === BATCH) break;
      count += 1;
      this.#changed.delete(key);
      const data = this.#lookup(prefix);
      const told = this.#told.get(key);
      if (data === told?.data) continue;
      if (data === undefined) {
        this.#told.delete(key);
        withdrawn[prefix.family].push({ prefix });
      } else {
        this.#told.set(key, { prefix, data });
        const group = announced.get(data);
        if (group === undefined) announced.set(data, [prefix]);
        else group.push(prefix);
      }
    }
    const messages = FAMILIES.flatMap((family) =>
      encodeWithdrawal(family, withdrawn[family], DEFAULT_CONTEXT),
    );
    for (const [data, prefixes] of announced) messages.push(...announcements(data, prefixes));
    if (this.#owesEndOfRib && this.#changed.size === 0) {
      this.#owesEndOfRib = false;
      messages.push(...FAMILIES.map((family) => encodeMessage(endOfRib(family))));
    }
    return messages;
  }
}

function announcements(data: PathData, prefixes: readonly Prefix[]): Uint8Array[] {
  return FAMILIES.flatMap((family) => {
    const nlri = prefixes.filter((each) => each.family === family).map((prefix) => ({ prefix }));
    const announcement = { family, ...data, nlri };
    try {
      return encodeAnnouncement(announcement, DEFAULT_CONTEXT);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
    }
    try {
      // Attributes that came in an extended message.
      return encodeAnnouncement(announcement, LONG_MESSAGES);
    } catch (cause) {
      // AS numbers of two octets filled one, or policy has added something: that fits no message.
      if (!(cause instanceof RangeError)) throw cause;
      return encodeWithdrawal(family, nlri, DEFAULT_CONTEXT);
    }
  });
}
