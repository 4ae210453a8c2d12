// Vocabulary of BFD sessions: RFC 5880. Intervals are microseconds on the wire and in the state machine,
// milliseconds in settings and timers.
import type { BfdState, ControlPacket } from '@calico/bfd-wire';
import type { Address } from '@calico/ip';

export type BfdSettings = {
  /** 10 to 60,000. How often the peer may send at most. */
  readonly minReceiveMs: number;
  /** 10 to 60,000. How often we want to send. */
  readonly minTransmitMs: number;
  /** 1 to 255. So many of our packets may be lost before the peer calls us down. */
  readonly detectMultiplier: number;
  /** RFC 5883: the peer is behind routers. Else it is a neighbour, and packets must not have been routed. */
  readonly isMultihop: boolean;
};

/** Where a link-local address is. */
export type OnLink = { readonly interface: string; readonly interfaceIndex: number };

/** A session that is wanted. There is one per address, whatever uses it. */
export type BfdTarget = {
  readonly address: Address;
  /** Absent unless the address is link-local. */
  readonly link?: OnLink;
  /** Undefined: the kernel's choice. */
  readonly sourceAddress: Address | undefined;
  readonly settings: BfdSettings;
};

/** Why a session is not up. */
export type BfdCause =
  /** It has not been up yet. */
  | 'starting'
  /** Nothing arrived for the detection time. */
  | 'expired'
  /** The peer does not hear us. */
  | 'signaled'
  /** The peer's BFD has started anew: says nothing about the path. */
  | 'restarted'
  /** The peer's operator has turned it off: says nothing about the path. */
  | 'administrative';

export type BfdStatus = {
  readonly address: Address;
  /** Where a link-local address is; absent for other addresses. */
  readonly interface?: string;
  readonly state: BfdState;
  /** Undefined when up. */
  readonly cause: BfdCause | undefined;
  /** Milliseconds since the epoch of the last change of the state. */
  readonly since: number;
  /** Between two of our packets, without jitter. */
  readonly transmitMs: number;
  /** Without a packet for so long the session is down; 0 before the first one. */
  readonly detectionMs: number;
  /** The peer's BFD outlives its control plane: when it is down, so is the path. */
  readonly isRemoteIndependent: boolean;
  /** Why no packets can be sent or received; empty: they can. */
  readonly problem: string;
};

export type BfdTimer = 'transmit' | 'detect';

export type BfdEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'packet'; readonly packet: ControlPacket }
  | { readonly kind: 'timer'; readonly timer: BfdTimer }
  /** The settings have changed. */
  | { readonly kind: 'configure' }
  /** The session is no longer wanted. */
  | { readonly kind: 'stop' };

export type BfdEffect =
  | { readonly kind: 'send'; readonly packet: ControlPacket }
  | {
      readonly kind: 'set-timer';
      readonly timer: BfdTimer;
      readonly delayMs: number;
      /** The shell shortens the delay by a random share in this range (RFC 5880 section 6.8.7). */
      readonly jitter: readonly [least: number, most: number];
    }
  | { readonly kind: 'cancel-timer'; readonly timer: BfdTimer }
  /** The state has changed. */
  | { readonly kind: 'changed' };
