// Vocabulary of the session state machine: RFC 4271 section 8.
//
//   A session has up to three connections. `outgoing` is the one we dial: it runs through all states.
//   `incoming` and `second` are ones the peer dialled: they start in OpenSent. Two are needed because
//   a peer that has restarted dials anew while its old connection still seems established. When several
//   get far enough, all but one are closed (collision.ts).
//
//              start            dialled              OPEN               KEEPALIVE
//   outgoing   Idle -> Connect ----------> OpenSent ------> OpenConfirm ---------> Established
//                        ^  | failed         ^
//                        |  v                |
//                       Active               | accepted
//   incoming   Idle -------------------------+
import type {
  Message,
  Notification,
  Open,
  Role,
  RouteRefresh,
  Update,
  WireContext,
} from '@calico/bgp-wire';
import type { Family } from '@calico/ip';

export const SIDES = ['outgoing', 'incoming', 'second'] as const;
export type Side = (typeof SIDES)[number];

export type SessionConfig = {
  readonly localAsn: number;
  readonly routerId: number;
  /** Spoken as where the peer refuses `localAsn`; absent: nothing. */
  readonly dualAsn?: number;
  readonly remoteAsn: RemoteAsn;
  /** The peer is in another member AS of our confederation (RFC 5065). */
  readonly isMember: boolean;
  readonly families: readonly Family[];
  /** IPv4 routes may have IPv6 next hops (RFC 8950). */
  readonly extendedNextHop: boolean;
  /** Several paths of one prefix are taken in, and sent (RFC 7911). */
  readonly addPathReceive: boolean;
  readonly addPathSend: boolean;
  /** What we propose; 0, or 3 to 65535. */
  readonly holdTimeSeconds: number;
  /** How long the peer may take nothing that is sent to it; 0: for ever, undefined: by the hold time. */
  readonly sendHoldSeconds: number | undefined;
  /** Sends keepalives at least this often; undefined: a third of the hold time. */
  readonly keepaliveSeconds: number | undefined;
  /** Never dials. */
  readonly isPassive: boolean;
  /** How long the peer may speak first on a new connection; 0: not at all. */
  readonly delayOpenMs: number;
  /** What we are to the peer, external peers only (RFC 9234). */
  readonly role: Role | undefined;
  /** A peer without a role is refused. */
  readonly isRoleStrict: boolean;
  /** Undefined: graceful restart is not offered. */
  readonly gracefulRestart: GracefulRestartOffer | undefined;
  readonly timing: SessionTiming;
};

/** Who the peer has to be: one AS number, or any that is none of ours, as its OPEN says. */
export type RemoteAsn = number | { readonly anyBut: readonly number[] };

export type GracefulRestartOffer = {
  readonly restartTimeSeconds: number;
  /** This speaker has restarted and still recovers (R bit). */
  readonly isRestarting: boolean;
  /** Its kernel routes outlived it (F bit). */
  readonly isForwardingPreserved: boolean;
  /** A NOTIFICATION and an expired hold timer keep routes too (RFC 8538). */
  readonly keepsOnNotification: boolean;
  /** How long the peer may keep our routes beyond the restart time (RFC 9494); 0: not at all. */
  readonly longLivedSeconds: number;
};

export type SessionTiming = {
  /** Between two attempts to connect, and the longest an attempt may take. */
  readonly connectRetryMs: number;
  /** How long to wait for the peer's OPEN after ours; a router that starts may have a hundred peers to answer. */
  readonly openHoldMs: number;
  /** Rest after an error; doubles with each further one up to the maximum. */
  readonly idleHoldMs: number;
  readonly maximumIdleHoldMs: number;
  /** A session that lived this long clears what errors have added up. */
  readonly stableMs: number;
};

export const DEFAULT_TIMING: SessionTiming = {
  connectRetryMs: 1_500,
  openHoldMs: 240_000,
  idleHoldMs: 1_000,
  maximumIdleHoldMs: 30_000,
  stableMs: 60_000,
};

/** What both OPEN messages agree on. */
export type Negotiated = {
  readonly remoteOpen: Open;
  /** The peer knows us by `dualAsn`. */
  readonly usesDualAsn?: true;
  /** 0: neither keepalives nor a hold timer. */
  readonly holdTimeSeconds: number;
  readonly keepaliveSeconds: number;
  /** 0: the peer may take nothing for ever. */
  readonly sendHoldSeconds: number;
  readonly families: readonly Family[];
  /** How to read what the peer sends. */
  readonly context: WireContext;
  /** How to write what it is sent. */
  readonly sendContext: WireContext;
  readonly extendedNextHop: boolean;
  readonly canRefresh: boolean;
  readonly canRefreshEnhanced: boolean;
  /** The peer knows routes that have been stale for long (RFC 9494). */
  readonly knowsLongLived: boolean;
  /** Undefined: graceful restart is off, for one of the two does not offer it. */
  readonly gracefulRestart: NegotiatedGracefulRestart | undefined;
};

export type NegotiatedGracefulRestart = {
  readonly isPeerRestarting: boolean;
  /** How long the peer may be away. */
  readonly restartTimeSeconds: number;
  /** Both keep routes after a NOTIFICATION (RFC 8538). */
  readonly keepsOnNotification: boolean;
  /** How long its routes may stay beyond the restart time (RFC 9494); families without are absent. */
  readonly longLived: ReadonlyMap<Family, number>;
  /** Families that the peer takes part with. */
  readonly families: readonly Family[];
  /** Those whose forwarding outlived the peer's restart. */
  readonly forwarding: readonly Family[];
  /** Those whose forwarding goes on, however long the peer was away (RFC 9494). */
  readonly longLivedForwarding: readonly Family[];
};

export type Connection =
  | { readonly kind: 'idle' }
  /** Dialling. */
  | { readonly kind: 'connect' }
  /** Waits for the retry timer, or for the peer to dial. */
  | { readonly kind: 'active' }
  /** Connected, waits for the peer's OPEN before its own. */
  | { readonly kind: 'open-delayed' }
  | { readonly kind: 'open-sent'; readonly localOpen: Open }
  | { readonly kind: 'open-confirm'; readonly negotiated: Negotiated }
  | { readonly kind: 'established'; readonly negotiated: Negotiated };

export type ConnectionKind = Connection['kind'];

export type TimerName = 'connect-retry' | 'delay-open' | 'hold' | 'keepalive' | 'send-hold';

export type ConnectionEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'opened' }
  /** The attempt failed, or the connection is gone. */
  | { readonly kind: 'closed'; readonly reason: string }
  | { readonly kind: 'timer'; readonly timer: TimerName }
  /** What was sent waits, for the peer does not read; and all of it has gone. */
  | { readonly kind: 'blocked' }
  | { readonly kind: 'unblocked' }
  | { readonly kind: 'message'; readonly message: Message }
  /** What arrived could not be read. */
  | {
      readonly kind: 'malformed';
      readonly notification: Notification;
      readonly reason: string;
    };

export type ConnectionEffect =
  | { readonly kind: 'dial' }
  | { readonly kind: 'close' }
  | { readonly kind: 'send'; readonly message: Message }
  | {
      readonly kind: 'set-timer';
      readonly timer: TimerName;
      readonly delayMs: number;
      /** The shell shortens the delay by up to this share, at random. */
      readonly jitter: number;
    }
  | { readonly kind: 'cancel-timer'; readonly timer: TimerName }
  /** How to read what comes next. */
  | { readonly kind: 'read-as'; readonly context: WireContext };

export type SessionEffect =
  | (ConnectionEffect & { readonly side: Side })
  /** The connection that was just accepted is this side's from now on. */
  | { readonly kind: 'adopt'; readonly side: Side }
  /** Close the connection that was just accepted; it takes no part. */
  | { readonly kind: 'refuse'; readonly notification: Notification | undefined }
  | { readonly kind: 'set-idle-hold'; readonly delayMs: number }
  | { readonly kind: 'cancel-idle-hold' }
  | {
      readonly kind: 'up';
      readonly side: Side;
      readonly negotiated: Negotiated;
      /** Goes on with what was told over another connection to the same process. */
      readonly isReplacing?: true;
    }
  | {
      readonly kind: 'down';
      readonly negotiated: Negotiated;
      /** The peer may have restarted: keep its routes for a while (RFC 4724). */
      readonly isGraceful: boolean;
      readonly reason: string;
      /** We have closed the connection without a word, in favour of another one. */
      readonly isDropped?: true;
    }
  | { readonly kind: 'update'; readonly update: Update }
  | { readonly kind: 'refresh'; readonly refresh: RouteRefresh };

/**
 * Answer of one state to one event. `failure` ends the attempt: 'retry' goes on dialling, 'error'
 * rests first (damped), 'refused' does so only where a session is lost: the peer has no place for us, yet or now.
 */
export type Transition = {
  readonly next: Connection;
  readonly effects: readonly ConnectionEffect[];
  readonly failure?: Failure;
};

export type Failure = {
  readonly kind: 'retry' | 'refused' | 'error';
  readonly reason: string;
  /** The connection was lost without a NOTIFICATION either way. */
  readonly isSilent: boolean;
  /** Where both ends keep routes after a NOTIFICATION, they do so after this one (RFC 8538). */
  readonly keepsRoutes: boolean;
};

export const IDLE: Connection = { kind: 'idle' };
export const CONNECT_RETRY_JITTER = 1 / 3;
/** RFC 4271 section 10. */
export const KEEPALIVE_JITTER = 0.25;
