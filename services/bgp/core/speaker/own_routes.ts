import { Origin } from '@calico/bgp-wire';
import { type Family, formatPrefix } from '@calico/ip';
import { LOCAL, type LocRib } from '../rib/loc_rib.ts';
import type { PathData } from '../rib/path.ts';
import type { OwnRoute } from './config.ts';

/** What this node originates, in the routing table. */
export class OwnRoutes {
  readonly #rib: LocRib;
  readonly #held = new Map<string, OwnRoute>();

  constructor(rib: LocRib) {
    this.#rib = rib;
  }

  configure(routes: readonly OwnRoute[]): void {
    const wanted = new Map(routes.map((route) => [formatPrefix(route.prefix), route]));
    for (const [key, { prefix }] of this.#held) {
      if (wanted.has(key)) continue;
      this.#held.delete(key);
      this.#rib.remove(prefix, LOCAL);
    }
    for (const [key, route] of wanted) {
      if (this.#held.get(key)?.localPreference === route.localPreference) continue;
      this.#held.set(key, route);
      const data = ownData(route.prefix.family, route.localPreference);
      this.#rib.put({ prefix: route.prefix, data, source: LOCAL });
    }
  }
}

/** Of the same preference, own routes say the same, so that they travel in one UPDATE. */
export function ownData(family: Family, localPreference: number): PathData {
  return {
    attributes: { origin: Origin.Igp, asPath: [], localPreference },
    nextHop: { family, value: 0n },
  };
}
