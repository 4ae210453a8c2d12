// Routes of a peer that is away, or that tells its table again: how long they stay, and when they go.
// RFC 4724, 7313, 9494.
import type { RouteRefresh } from '@calico/bgp-wire';
import type { Family } from '@calico/ip';
import type { NegotiatedGracefulRestart } from '../session/types.ts';
import type { SpeakerEffect } from './events.ts';
import { beginToAge, LongLived } from './long_lived.ts';
import type { Peer } from './peer.ts';
import { takeRefresh } from './refresh.ts';

/** How long routes are kept when the peer is back but does not finish its table. */
const AFTER_RETURN_MS = 120_000;

export class StaleRoutes {
  readonly #emit: (effect: SpeakerEffect) => void;

  constructor(emit: (effect: SpeakerEffect) => void) {
    this.#emit = emit;
  }

  /**
   * The session is over.
   * @param restart what it had agreed on; undefined: its routes go
   * @param wasRefreshing the peer was telling its table again
   */
  lose(peer: Peer, restart: NegotiatedGracefulRestart | undefined, wasRefreshing: boolean): void {
    const { received, longLived: before } = peer;
    forgetOldDeadline(peer);
    // A second loss before the peer finished its table does not prolong the wait.
    const isAwaitedAlready = received.staleCount > 0 && peer.isAwaited && !wasRefreshing;
    const goesOn = isAwaitedAlready && before.isLong;
    peer.longLived = new LongLived(restart, peer.session.since, goesOn ? before : undefined);
    const { families } = peer.longLived;
    received.retainOnly(families);
    received.markStale(families);
    if (received.staleCount === 0) return this.#cancel(peer);
    beginToAge(peer);
    if (isAwaitedAlready && !goesOn) return;
    const { delayMs } = peer.longLived;
    peer.staleUntil ??= peer.session.since + delayMs + AFTER_RETURN_MS;
    this.#await(peer, delayMs);
  }

  /**
   * A session is up.
   * @param isReplacing it takes the place of one that was up until now
   */
  takeBack(peer: Peer, restart: NegotiatedGracefulRestart | undefined, isReplacing: boolean): void {
    const { received, longLived } = peer;
    peer.ageing = undefined;
    // RFC 4724 section 4.2: what the peer does not say it kept forwarding is dropped at once.
    if (!isReplacing) received.retainOnly(longLived.keptAfter(restart));
    if (received.staleCount === 0) this.#cancel(peer);
    else if (!longLived.isOn) this.#await(peer, this.#patienceWith(peer));
  }

  /** The peer has told all its routes of a family. */
  endOfRib(peer: Peer, family: Family): void {
    this.#swept(peer, peer.received.sweep([family]));
  }

  refresh(peer: Peer, message: RouteRefresh): void {
    forgetOldDeadline(peer);
    const swept = takeRefresh(peer, message);
    // The peer may never end what it has begun; beginning again does not prolong it.
    if (peer.received.staleCount > 0 && !peer.isAwaited) this.#await(peer, AFTER_RETURN_MS);
    this.#swept(peer, swept);
  }

  /** Unless routes may stay long, as a last resort, this is their end. */
  timeOver(peer: Peer): void {
    const { longLived, received, live } = peer;
    peer.isAwaited = false;
    if (live !== undefined && !longLived.isOn) return this.sweep(peer);
    longLived.advance();
    if (longLived.families.length === 0) return this.sweep(peer);
    if (live === undefined) beginToAge(peer);
    this.#swept(peer, received.sweep(longLived.over));
    if (received.staleCount > 0) this.#await(peer, longLived.delayMs);
  }

  /** One that comes and goes, and never tells all, has no more time than one that comes late. */
  #patienceWith({ longLived, session, staleUntil = Infinity }: Peer): number {
    if (longLived.isLong) return AFTER_RETURN_MS;
    return Math.max(0, Math.min(AFTER_RETURN_MS, staleUntil - session.since));
  }

  /** All that are stale go. */
  sweep(peer: Peer): void {
    peer.live?.refreshing.clear();
    this.#swept(peer, peer.received.sweep([4, 6]));
  }

  /** All go, stale or not. */
  drop(peer: Peer): void {
    peer.received.retainOnly([]);
    this.#cancel(peer);
  }

  /** @param routes how many have gone */
  #swept(peer: Peer, routes: number): void {
    if (peer.received.staleCount === 0) this.#cancel(peer);
    const { key } = peer.config;
    if (routes > 0) this.#emit({ kind: 'note', note: { kind: 'swept', peer: key, routes } });
  }

  #await(peer: Peer, delayMs: number): void {
    peer.isAwaited = true;
    this.#emit({ kind: 'set-timer', peer: peer.config.key, timer: 'stale', delayMs });
  }

  /** Nothing is stale any more. */
  #cancel(peer: Peer): void {
    peer.longLived = new LongLived();
    peer.staleUntil = undefined;
    if (!peer.isAwaited) return;
    peer.isAwaited = false;
    this.#emit({ kind: 'cancel-timer', peer: peer.config.key, timer: 'stale' });
  }
}

/** It has told all of its routes again since. */
function forgetOldDeadline(peer: Peer): void {
  if (peer.received.staleCount === 0) peer.staleUntil = undefined;
}
