import type { LocRib } from '../rib/loc_rib.ts';
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
    for (const { prefix, localPreference } of announced) {
      const data = ownData(prefix.family, localPreference);
      this.#rib.put({ prefix, data, source: this.#source });
    }
    for (const prefix of withdrawn) this.#rib.remove(prefix, this.#source);
  }
}
