import type { LocRib } from '../rib/loc_rib.ts';
import type { AnnouncedAddress } from '../services/service_index.ts';
import type { SpeakerEvent } from './events.ts';
import { ownData } from './own_routes.ts';

/**
 * Addresses of services that this node announces, in the routing table. A source of their own: what the configuration
 * originates does not meet them there.
 */
export class ServiceRoutes {
  readonly #rib: LocRib;
  #source: number | undefined;

  constructor(rib: LocRib) {
    this.#rib = rib;
  }

  take({ announced, withdrawn }: Extract<SpeakerEvent, { readonly kind: 'services' }>): void {
    this.#source ??= this.#rib.paths.addSource({ kind: 'local', isService: true });
    const alike = Map.groupBy(
      announced,
      ({ prefix, localPreference }) => `${prefix.family} ${localPreference}`,
    );
    for (const addresses of alike.values()) this.#putAlike(addresses, this.#source);
    for (const prefix of withdrawn) this.#rib.remove(prefix, this.#source);
  }

  /** @param addresses of one family and preference */
  #putAlike(addresses: readonly AnnouncedAddress[], source: number): void {
    const { attributes, prefixes } = this.#rib;
    const [first] = addresses;
    if (first === undefined) return;
    const set = attributes.intern(ownData(first.prefix.family, first.localPreference));
    for (const { prefix } of addresses) {
      const id = prefixes.intern(prefix);
      this.#rib.putRow(id, source, 0, set, set);
      prefixes.release(id);
    }
    attributes.release(set);
  }
}
