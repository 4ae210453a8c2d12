// What goes into the speaker and what comes out of it, as data.
//
//   tcp, timers ----- session, peer-timer, writable --->  +---------+ --- session, send ---> tcp, timers
//   resources --derive--> configure() ----------------->  | Speaker | --- routes ----------> kernel
//   feed in sync --------- exports-complete ----------->  +---------+ --- note ------------> log, status
import type { Treatment } from '@calico/bgp-wire';
import type { Address, Prefix } from '@calico/ip';
import type { BfdStatus } from '../bfd/types.ts';
import type { ServiceChanges } from '../services/service_index.ts';
import type { SessionEvent } from '../session/session.ts';
import type { SessionEffect, Side } from '../session/types.ts';
import type { SpeakerConfig } from './config.ts';
import type { InjectedRoute } from './injected_routes.ts';

/**
 * 'idle-hold': rest after an error. 'stale': how long to keep the routes of a peer that is away.
 * 'guest': whether one that has come by itself is still there.
 */
export type PeerTimer = 'idle-hold' | 'stale' | 'guest';

export type SpeakerEvent =
  | { readonly kind: 'session'; readonly peer: string; readonly event: SessionEvent }
  /** Bodies of UPDATE messages that came one after another on an established connection. */
  | {
      readonly kind: 'updates';
      readonly peer: string;
      readonly side: Side;
      readonly bodies: readonly Uint8Array[];
    }
  | { readonly kind: 'peer-timer'; readonly peer: string; readonly timer: PeerTimer }
  /** The peer's connection takes more bytes. Expected once after each `send`. */
  | { readonly kind: 'writable'; readonly peer: string }
  /** What BFD says about the path to the peer. */
  | { readonly kind: 'bfd'; readonly peer: string; readonly news: BfdNews }
  /** 'in': the peer is asked for its routes again. 'out': it is told all of ours again. */
  | { readonly kind: 'refresh'; readonly peer: string; readonly direction: 'in' | 'out' }
  /** Routes of a client of this process, in place of what it has injected for these prefixes before. */
  | {
      readonly kind: 'inject';
      readonly client: string;
      readonly routes: readonly InjectedRoute[];
    }
  /** `prefixes` undefined: all of the client's. */
  | {
      readonly kind: 'take-back';
      readonly client: string;
      readonly prefixes: readonly Prefix[] | undefined;
    }
  /** Addresses of services that this node announces from now on, and no longer. */
  | ({ readonly kind: 'services' } & ServiceChanges)
  /** What the kernel says about next hops. */
  | { readonly kind: 'next-hops'; readonly hops: readonly NextHopState[] }
  /** Own routes are complete: peers may be told so (End-of-RIB). */
  | { readonly kind: 'exports-complete' };

export type NextHopState = {
  readonly address: Address;
  readonly isReachable: boolean;
  /** As interiorCost(). Left out: 0. */
  readonly cost?: number;
};

export type BfdNews = Pick<BfdStatus, 'state' | 'cause' | 'isRemoteIndependent'>;

type ConnectionWork = Exclude<
  SessionEffect,
  { readonly kind: 'up' | 'down' | 'update' | 'refresh' | 'set-idle-hold' | 'cancel-idle-hold' }
>;

export type SpeakerEffect =
  | { readonly kind: 'connection'; readonly peer: string; readonly work: ConnectionWork }
  | {
      readonly kind: 'set-timer';
      readonly peer: string;
      readonly timer: PeerTimer;
      readonly delayMs: number;
    }
  | { readonly kind: 'cancel-timer'; readonly peer: string; readonly timer: PeerTimer }
  /** Whole messages; answer with `writable` when the connection takes more. */
  | {
      readonly kind: 'send';
      readonly peer: string;
      readonly side: Side;
      readonly messages: readonly Uint8Array[];
    }
  /** The peer is no longer configured; nothing about it follows. */
  | { readonly kind: 'forget'; readonly peer: string }
  /** The best paths of these prefixes changed: numbers of the routing table, valid at this moment. */
  | {
      readonly kind: 'routes';
      readonly prefixes: readonly number[];
      /** Paths of a lost peer are being taken out: more follows, at last one that says it is over. */
      readonly isLosing: boolean;
    }
  /** There is more to do: flush() again soon. */
  | { readonly kind: 'continue' }
  | { readonly kind: 'note'; readonly note: Note };

/** What people want to know, for the log and the status. */
export type Note =
  | { readonly kind: 'up'; readonly peer: string }
  | {
      readonly kind: 'down';
      readonly peer: string;
      readonly reason: string;
      readonly isGraceful: boolean;
      /** As of the session's effect. */
      readonly isDropped?: true;
    }
  | { readonly kind: 'end-of-rib'; readonly peer: string; readonly family: 4 | 6 }
  | (UpdateNews & { readonly peer: string })
  /** A mistake of ours, which has ended the peer's session. @see faultOf */
  | { readonly kind: 'fault'; readonly peer: string; readonly fault: unknown }
  | {
      readonly kind: 'prefix-limit';
      readonly peer: string;
      readonly routes: number;
      readonly limit: number;
    }
  | { readonly kind: 'swept'; readonly peer: string; readonly routes: number }
  /** A new policy, or age, has been brought to all that the peer has told. */
  | { readonly kind: 'rejudged'; readonly peer: string };

/** What there is to say of an UPDATE. */
export type UpdateNews =
  | {
      readonly kind: 'malformed';
      /** Number of the attribute; 0: the list of them. */
      readonly attribute: number;
      readonly treatment: Treatment;
      readonly problem: string;
    }
  /** More than `limit` paths of one prefix (RFC 7911): the rest is refused. */
  | {
      readonly kind: 'path-limit';
      /** The first of which there were too many: "10.1.0.0/16". */
      readonly prefix: string;
      readonly limit: number;
    };

/**
 * Everything that can change a speaker, in the order in which it came. With the same options the same
 * inputs give the same effects, so a recording is a bug report that runs (replay.ts).
 */
export type SpeakerInput =
  | { readonly kind: 'configure'; readonly config: SpeakerConfig; readonly now: number }
  | { readonly kind: 'event'; readonly event: SpeakerEvent; readonly now: number }
  /** `slice` as of Speaker.flush(). */
  | { readonly kind: 'flush'; readonly slice?: number }
  | { readonly kind: 'recovered'; readonly now: number; readonly isOverdue: boolean }
  /** Somebody connects. */
  | {
      readonly kind: 'admit';
      readonly address: Address;
      readonly now: number;
      readonly interfaceName: string | undefined;
    }
  | { readonly kind: 'refresh-interfaces' }
  /** The answer to what the speaker asked last. */
  | { readonly kind: 'interface'; readonly name: string | undefined };
