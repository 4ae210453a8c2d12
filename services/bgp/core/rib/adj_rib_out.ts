import { encodeAnnouncement, encodeWithdrawal, type WireContext } from '@calico/bgp-wire';
import type { Family, Prefix } from '@calico/ip';
import { type PathData, samePathData } from './path.ts';
import { type PrefixKey, prefixKey } from './prefix_key.ts';

type Advertised = { readonly prefix: Prefix; readonly data: PathData };
type Pending = { readonly prefix: Prefix; readonly data: PathData | undefined };

/**
 * What one peer has been told, and what it has yet to be told. A newer change of a prefix takes the
 * place of an unsent one, so a slow peer costs at most one entry per prefix.
 */
export class AdjRibOut {
  readonly #advertised = new Map<PrefixKey, Advertised>();
  readonly #pending = new Map<PrefixKey, Pending>();

  /** Prefixes the peer has been told of. */
  get size(): number {
    return this.#advertised.size;
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** @param data undefined withdraws */
  set(prefix: Prefix, data: PathData | undefined): void {
    const key = prefixKey(prefix);
    const told = this.#advertised.get(key)?.data;
    if (told === data || (told && data && samePathData(told, data))) this.#pending.delete(key);
    else this.#pending.set(key, { prefix, data });
  }

  get(prefix: Prefix): PathData | undefined {
    return this.#advertised.get(prefixKey(prefix))?.data;
  }

  /** Tells everything again, for a ROUTE-REFRESH. */
  repeat(family: Family): void {
    for (const [key, { prefix, data }] of this.#advertised) {
      if (prefix.family === family && !this.#pending.has(key)) {
        this.#pending.set(key, { prefix, data });
      }
    }
  }

  entries(): Iterable<Advertised> {
    return this.#advertised.values();
  }

  /** Forgets everything: the session is gone. */
  clear(): void {
    this.#advertised.clear();
    this.#pending.clear();
  }

  /**
   * Takes up to `limit` changes and writes them as UPDATE messages: withdrawals first, then the
   * announcements grouped by their attributes.
   */
  take(limit: number, context: WireContext): Uint8Array[] {
    const withdrawn: Record<Family, Prefix[]> = { 4: [], 6: [] };
    const announced = new Map<PathData, Record<Family, Prefix[]>>();
    let taken = 0;
    for (const [key, { prefix, data }] of this.#pending) {
      if (taken === limit) break;
      taken += 1;
      this.#pending.delete(key);
      if (data === undefined) {
        if (this.#advertised.delete(key)) withdrawn[prefix.family].push(prefix);
        continue;
      }
      this.#advertised.set(key, { prefix, data });
      let group = announced.get(data);
      if (group === undefined) {
        group = { 4: [], 6: [] };
        announced.set(data, group);
      }
      group[prefix.family].push(prefix);
    }
    const messages: Uint8Array[] = [];
    for (const family of [4, 6] as const) {
      messages.push(...encodeWithdrawal(family, withdrawn[family].map(asNlri), context));
      for (const [{ attributes, nextHop }, group] of announced) {
        const nlri = group[family].map(asNlri);
        messages.push(...encodeAnnouncement({ family, nextHop, attributes, nlri }, context));
      }
    }
    return messages;
  }
}

function asNlri(prefix: Prefix): { readonly prefix: Prefix } {
  return { prefix };
}
