// The peers' states as they are told to others. Made anew only for peers that have changed: with hundreds
// of peers most of a report would be texts that are the same as in the last one.
import type { PeerStatus } from '../../ports.ts';
import type { BfdStatus } from '../bfd/types.ts';
import { stateName } from '../session/session.ts';
import type { PeerConfig } from '../speaker/config.ts';
import type { Live, Peer } from '../speaker/peer.ts';
import { lastErrorOf, peerStatus } from './peer_status.ts';

type Known = {
  readonly config: PeerConfig;
  readonly live: Live | undefined;
  readonly status: PeerStatus;
};

export class PeerStatuses {
  readonly #peers: ReadonlyMap<string, Peer>;
  readonly #pathOf: (config: PeerConfig) => BfdStatus | undefined;
  #known = new Map<Peer, Known>();
  #version = 0;

  /** @param peers of the speaker. @param pathOf what BFD knows; another object when it has changed */
  constructor(
    peers: ReadonlyMap<string, Peer>,
    pathOf: (config: PeerConfig) => BfdStatus | undefined,
  ) {
    this.#peers = peers;
    this.#pathOf = pathOf;
  }

  /** Another number when list() has found anything changed. */
  get version(): number {
    return this.#version;
  }

  list(): PeerStatus[] {
    const known = new Map<Peer, Known>();
    let isSame = this.#known.size === this.#peers.size;
    const list = Array.from(this.#peers.values(), (peer) => {
      const before = this.#known.get(peer);
      const path = this.#pathOf(peer.config);
      const now = before !== undefined && holds(before, peer, path) ? before : made(peer, path);
      isSame &&= now === before;
      known.set(peer, now);
      return now.status;
    });
    this.#known = known;
    if (!isSame) this.#version += 1;
    return list;
  }
}

function holds({ config, live, status }: Known, peer: Peer, path: BfdStatus | undefined): boolean {
  return (
    config === peer.config &&
    live === peer.live &&
    status.bfd === path &&
    status.state === stateName(peer.session) &&
    status.since === peer.session.since &&
    status.losses === peer.session.losses &&
    status.received === peer.received.size &&
    status.rejected === peer.received.refusedCount &&
    status.stale === peer.received.staleCount &&
    status.advertised === peer.advertised.size &&
    status.lastError === lastErrorOf(peer)
  );
}

function made(peer: Peer, path: BfdStatus | undefined): Known {
  return { config: peer.config, live: peer.live, status: peerStatus(peer, path) };
}
