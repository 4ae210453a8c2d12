// Make before break: a session that the topology no longer wants stays until both its ends have every
// route of the other another way. An end says that it has by marking what it tells (RFC 8326), which
// also makes the other prefer that other way; the first that is marked and marks itself ends it.

import type { PeerConfig, SpeakerConfig } from '../speaker/config.ts';
import type { Coverage } from '../speaker/coverage.ts';

export class Parting {
  /** Without the parting peers. */
  #config: SpeakerConfig | undefined;
  /** By key: as the session was configured when it was still wanted. */
  readonly #peers = new Map<string, PeerConfig>();
  /** What this speaker was as a reflector, which it stays while a client is parting. */
  #reflector: { readonly clusterId: number; readonly clients: ReadonlySet<string> } | undefined;

  /**
   * Takes up the peers that were configured before and are not any more, as far as only the topology
   * leaves them out, and lets go of those that are wanted again or for another reason not wanted.
   * @returns the configuration with the parting peers
   */
  configure(next: SpeakerConfig, leftOut: ReadonlySet<string>): SpeakerConfig {
    const before = this.#config;
    this.#config = next;
    for (const key of this.#peers.keys()) if (!leftOut.has(key)) this.#peers.delete(key);
    for (const [key, peer] of before?.peers ?? []) {
      if (leftOut.has(key) && !next.peers.has(key)) this.#peers.set(key, peer);
    }
    if (before !== undefined) this.#remember(before);
    return this.#joined(next);
  }

  /**
   * @param coverageOf asked once for all parting peers, if there are any
   * @returns the configuration when it is another one now
   */
  review(
    coverageOf: (parting: readonly string[]) => ReadonlyMap<string, Coverage>,
  ): SpeakerConfig | undefined {
    if (this.#peers.size === 0) return undefined;
    const coverages = coverageOf([...this.#peers.keys()]);
    let isChanged = false;
    for (const [key, peer] of this.#peers) {
      const coverage = coverages.get(key);
      if (coverage === undefined || isOver(coverage)) {
        this.#peers.delete(key);
        isChanged = true;
      } else if (coverage.isCovered !== (peer.policy.isDispensable ?? false)) {
        const policy = { ...peer.policy, isDispensable: coverage.isCovered };
        this.#peers.set(key, { ...peer, policy });
        isChanged = true;
      }
    }
    return isChanged && this.#config !== undefined ? this.#joined(this.#config) : undefined;
  }

  #remember({ local: { clusterId }, peers }: SpeakerConfig): void {
    if (clusterId === undefined) return;
    const clients = [...peers].filter(([, { policy }]) => policy.isReflectorClient);
    this.#reflector = { clusterId, clients: new Set(clients.map(([key]) => key)) };
  }

  #joined(config: SpeakerConfig): SpeakerConfig {
    if (this.#peers.size === 0) return config;
    const { local } = config;
    const peers = new Map([...this.#peers, ...config.peers]);
    const reflects = [...this.#peers.values()].some(({ policy }) => policy.isReflectorClient);
    if (!reflects || local.clusterId !== undefined || this.#reflector === undefined) {
      return { ...config, peers };
    }
    const { clusterId, clients } = this.#reflector;
    for (const [key, peer] of config.peers) {
      if (!clients.has(key)) continue;
      peers.set(key, { ...peer, policy: { ...peer.policy, isReflectorClient: true } });
    }
    return { ...config, local: { ...local, clusterId }, peers };
  }
}

/** An end that hears no routes cannot be told that the other one has all: then that one ends it. */
function isOver({ isEstablished, isCovered, releasesUs, told }: Coverage): boolean {
  return isCovered && (!isEstablished || releasesUs || told === 0);
}
