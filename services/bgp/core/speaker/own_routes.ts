import { Origin } from '@calico/bgp-wire';
import type { LocRib } from '../rib/loc_rib.ts';
import { LOCAL_SOURCE, type Path, type PathData } from '../rib/path.ts';
import { type PrefixKey, prefixKey } from '../rib/prefix_key.ts';
import type { OwnRoute } from './config.ts';

/** What this node originates, in the routing table. */
export class OwnRoutes {
  readonly #rib: LocRib;
  readonly #held = new Map<PrefixKey, Path>();
  readonly #data = new Map<string, PathData>();

  constructor(rib: LocRib) {
    this.#rib = rib;
  }

  configure(routes: readonly OwnRoute[]): void {
    const wanted = new Map(routes.map((route) => [prefixKey(route.prefix), route]));
    for (const [key, { prefix }] of this.#held) {
      if (wanted.has(key)) continue;
      this.#held.delete(key);
      this.#rib.remove(prefix, LOCAL_SOURCE);
    }
    for (const [key, route] of wanted) {
      const held = this.#held.get(key)?.data.attributes.localPreference;
      if (held === route.localPreference) continue;
      const path = this.#pathOf(route);
      this.#held.set(key, path);
      this.#rib.put(path);
    }
  }

  /** Own routes share their attributes, so that they travel in one UPDATE. */
  #pathOf({ prefix, localPreference }: OwnRoute): Path {
    const key = `${prefix.family} ${localPreference}`;
    let data = this.#data.get(key);
    if (data === undefined) {
      const nextHop = { family: prefix.family, value: 0n };
      data = { attributes: { origin: Origin.Igp, asPath: [], localPreference }, nextHop };
      this.#data.set(key, data);
    }
    return { prefix, data, source: LOCAL_SOURCE };
  }
}
