import type { Address, Family } from '@calico/ip';
import type { LocalPolicy, PeerPolicy } from '../policy/types.ts';
import { AdjRibIn } from '../rib/adj_rib_in.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import type { NextHopTable } from '../rib/next_hop_table.ts';
import { Reader } from '../rib/out_reader.ts';
import type { PathSource } from '../rib/path.ts';
import { newSession, type Session } from '../session/session.ts';
import type { Negotiated, SessionConfig, SessionTiming, Side } from '../session/types.ts';
import { Advertised } from './advertised.ts';
import type { PeerConfig } from './config.ts';
import type { Inbound } from './inbound.ts';
import { type Ageing, LongLived } from './long_lived.ts';
import { type MalformedUpdates, NO_MALFORMED } from './malformed_updates.ts';
import { WatchedPath } from './watched_path.ts';

/** The part of a session that exists while it is established. */
export type Live = {
  readonly side: Side;
  readonly negotiated: Negotiated;
  source: PathSource & { readonly kind: 'peer' };
  /** Families whose initial routes have all arrived. */
  readonly complete: Set<Family>;
  /** Families that the peer has begun to send again. */
  readonly refreshing: Set<Family>;
  /** Families whose begin of a refresh is to be sent before the next routes. */
  readonly owedBegins: Set<Family>;
  /** Families whose end of a refresh is to be sent when no routes wait. */
  readonly owedEnds: Set<Family>;
  owesEndOfRib: boolean;
  /** The peer has told so much that the log has warned. */
  isNearLimit: boolean;
  /** A batch is out, `writable` has not come back. */
  isWaiting: boolean;
};

/** A policy, and what it was made from. */
type SessionPolicy = {
  readonly configured: PeerPolicy;
  /** Undefined: there is no session. */
  readonly negotiated: Negotiated | undefined;
  readonly policy: PeerPolicy;
};

/** Everything that the speaker holds about one peer. */
export class Peer {
  config: PeerConfig;
  session: Session;
  live: Live | undefined;
  /** The stale timer runs. */
  isAwaited = false;
  /** When what awaits the return of the peer goes at the latest; undefined: there is none. */
  staleUntil: number | undefined;
  /** Of the last loss; nothing stays long while the session is up. */
  longLived = new LongLived();
  /** While its routes become those of a peer that is away for long. */
  ageing: Ageing | undefined;
  /** Has been established since this process started. */
  wasEstablished = false;
  /** Of all its sessions since it was configured. */
  malformed: MalformedUpdates = NO_MALFORMED;
  readonly path = new WatchedPath();
  readonly received: AdjRibIn;
  advertised: Advertised;
  /** While the session is up; made anew with every policy. */
  inbound: Inbound | undefined;
  /** Where judging its routes by a new policy has come to; undefined: done. */
  rejudged: number | undefined;
  #policy: SessionPolicy | undefined;
  /** The number of its own address, while that is expected as a next hop. */
  #ownNextHop: number | undefined;
  /** Of its last session; 0 before. */
  #saidAsn = 0;

  constructor(config: PeerConfig, rib: LocRib, now: number) {
    this.config = config;
    this.session = newSession(now);
    const { key: peer, address, policy } = config;
    const { isInternal, isReflectorClient: isClient } = policy;
    const source = { kind: 'peer', peer, address, routerId: 0, isInternal, isClient } as const;
    this.received = new AdjRibIn(rib, source);
    this.advertised = new Advertised(rib, new Reader(this.received.source), undefined);
  }

  /** The peer's AS number; where any will do, the one that it was last known by, or 0. */
  get remoteAsn(): number {
    const { remoteAsn } = this.config.session;
    return typeof remoteAsn === 'number' ? remoteAsn : this.#saidAsn;
  }

  /**
   * What policy knows of the peer: what is configured, and what the session has agreed on. Routes of one
   * that is away are still marked with its AS number (RFC 9234).
   */
  get policy(): PeerPolicy {
    const { policy: configured } = this.config;
    const { negotiated } = this.live ?? {};
    const { role } = configured;
    if (negotiated === undefined && role === undefined) return configured;
    const held = this.#policy;
    if (held?.configured === configured && held.negotiated === negotiated) return held.policy;
    const { remoteAsn } = this;
    const policy = {
      ...(negotiated === undefined ? configured : this.#agreedPolicy(negotiated)),
      ...(role === undefined ? {} : { role: { ...role, remoteAsn } }),
    };
    this.#policy = { configured, negotiated, policy };
    return policy;
  }

  #agreedPolicy({ usesDualAsn, extendedNextHop, knowsLongLived }: Negotiated): PeerPolicy {
    const { policy, session } = this.config;
    const { dualAsn } = session;
    const own = usesDualAsn && dualAsn !== undefined ? asItself(policy, dualAsn) : policy;
    return { ...own, extendedNextHop, knowsLongLived };
  }

  /** The session is established. */
  begin(side: Side, negotiated: Negotiated): Live {
    const { address, policy, key, interface: onLink } = this.config;
    const live: Live = {
      side,
      negotiated,
      source: {
        kind: 'peer',
        peer: key,
        address,
        routerId: negotiated.remoteOpen.routerId,
        isInternal: policy.isInternal,
        isClient: policy.isReflectorClient,
        ...(policy.isMember ? { isMember: true } : {}),
        ...(onLink === undefined ? {} : { interface: onLink }),
      },
      complete: new Set(),
      refreshing: new Set(),
      owedBegins: new Set(),
      owedEnds: new Set(),
      owesEndOfRib: true,
      isNearLimit: false,
      isWaiting: false,
    };
    this.live = live;
    const { asn } = negotiated.remoteOpen;
    // Another AS is another peer: nothing is kept for its return.
    if (asn !== this.remoteAsn) this.received.retainOnly([]);
    this.#saidAsn = asn;
    this.#policy = undefined;
    this.wasEstablished = true;
    return live;
  }

  /** Most of what it tells leads to itself: whether it can be reached is asked before, while no route waits for that. */
  expectNextHops(hops: NextHopTable): void {
    this.#ownNextHop ??= hops.intern(this.config.address);
    hops.noteTold(this.#ownNextHop);
  }

  /** The session is over. */
  expectNothing(hops: NextHopTable): void {
    if (this.#ownNextHop !== undefined) hops.release(this.#ownNextHop);
    this.#ownNextHop = undefined;
  }

  sessionConfig(
    restart: { readonly isRestarting: boolean; readonly isForwardingPreserved: boolean },
    timing: SessionTiming,
  ): SessionConfig {
    const { restartTimeSeconds, keepsOnNotification, longLivedSeconds, ...session } =
      this.config.session;
    return {
      ...session,
      timing,
      gracefulRestart: {
        restartTimeSeconds,
        keepsOnNotification,
        longLivedSeconds,
        isRestarting: restart.isRestarting,
        // The kernel kept forwarding if this process never stopped, or found its routes again.
        isForwardingPreserved: restart.isForwardingPreserved || this.wasEstablished,
      },
    };
  }

  /** The session may not run: it waits for BFD. */
  get isHeld(): boolean {
    return this.config.bfd?.isStrict === true && !this.path.isUp && this.live === undefined;
  }

  /** Whether everything the peer had to say after connecting has been said. */
  isComplete(now: number): boolean {
    if (this.live === undefined) return false;
    const { gracefulRestart, families } = this.live.negotiated;
    if (gracefulRestart !== undefined) {
      return families.every((family) => this.live?.complete.has(family));
    }
    // Without End-of-RIB there is no sign; the first routes come at once.
    return now - this.session.since >= SETTLING_MS;
  }
}

/** Without another AS number in front. */
function asItself(configured: PeerPolicy, localAsn: number): PeerPolicy {
  const { shownAsn: _shownAsn, prependsReceived: _prependsReceived, ...rest } = configured;
  return { ...rest, localAsn };
}

const SETTLING_MS = 5_000;

/** Where our end of its connections is, as far as it follows from the configuration. */
export function localAddressOf({ config, policy }: Peer, local: LocalPolicy): Address | undefined {
  const { sourceAddress, address } = config;
  return policy.linkLocal ?? sourceAddress ?? local.address[address.family];
}
