import { type PeerConfig, settingsText } from '../speaker/config.ts';

type Claim = { readonly resource: string; readonly config: PeerConfig };

/** Which BGPPeer each peer is of, to find those that say different things of the same one. */
export class PeerClaims {
  readonly #claims = new Map<string, Claim>();

  /**
   * The later one of two that are equally explicit is used, and people would look for the other one's settings.
   * @returns a sentence for people; undefined when nobody has said otherwise
   */
  take(resource: string, config: PeerConfig): string | undefined {
    const { key, type } = config;
    const before = this.#claims.get(key);
    this.#claims.set(key, { resource, config });
    const isOther =
      before !== undefined &&
      before.resource !== resource &&
      before.config.type === type &&
      settingsText(before.config) !== settingsText(config);
    return isOther
      ? `Peer "${key}": BGPPeer "${before.resource}" and "${resource}" say different things of it, "${resource}" is used`
      : undefined;
  }
}
