// A session with one peer: its connections, collisions, rest after errors. Pure.
import type { Notification } from '@calico/bgp-wire';
import { SessionStepper } from './session_stepper.ts';
import {
  type Connection,
  type ConnectionEvent,
  IDLE,
  type SessionConfig,
  type SessionEffect,
  SIDES,
  type Side,
} from './types.ts';

export type Session = {
  /** 'stopped': not wanted. 'resting': after an error. 'running': tries or is established. */
  readonly phase: 'stopped' | 'resting' | 'running';
  readonly connections: Readonly<Record<Side, Connection>>;
  /** Errors in a row. */
  readonly errors: number;
  /** Why it is not established; empty when it is, and before the first attempt ended. */
  readonly lastError: string;
  /** What one end said, or has refused, when they last spoke; empty after anything else. */
  readonly refusal: string;
  /** How often it ended, and the last time. */
  readonly losses: number;
  readonly lastLoss?: Loss;
  /** Milliseconds since the epoch at which it became established, or ceased to be. */
  readonly since: number;
  /** It was established on a connection that lost a collision, and goes on with another one. */
  readonly isChanging?: boolean;
  /** It rests for longer than after an error: as it is configured. */
  readonly isShut?: boolean;
  /** The peer has refused one of our two AS numbers: the next attempt is by `dualAsn`. */
  readonly usesDualAsn?: boolean;
};

/** The end of a session that was established. */
export type Loss = {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason: string;
};

export type SessionEvent =
  | { readonly kind: 'start' }
  /** Ends the session; the NOTIFICATION is sent where a connection has got that far. */
  | { readonly kind: 'stop'; readonly notification: Notification | undefined }
  /** Ends the session and starts it again after a rest. */
  | {
      readonly kind: 'reset';
      readonly notification: Notification;
      readonly reason: string;
      /** Absent: as after an error. 'forever': until it is stopped and started. */
      readonly restMs?: number | 'forever';
    }
  /** The peer's connection was accepted. */
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rested' }
  | { readonly kind: 'connection'; readonly side: Side; readonly event: ConnectionEvent };

export type SessionStep = { readonly session: Session; readonly effects: readonly SessionEffect[] };

export function newSession(now: number): Session {
  return {
    phase: 'stopped',
    connections: { outgoing: IDLE, incoming: IDLE, second: IDLE },
    errors: 0,
    lastError: '',
    refusal: '',
    losses: 0,
    since: now,
  };
}

export function stepSession(
  session: Session,
  event: SessionEvent,
  config: SessionConfig,
  now: number,
): SessionStep {
  const stepper = new SessionStepper(session, config, now);
  stepper.run(event);
  return { session: stepper.session, effects: stepper.effects };
}

const ORDER = [
  'idle',
  'active',
  'connect',
  'open-delayed',
  'open-sent',
  'open-confirm',
  'established',
];
const NAMES = ['Idle', 'Active', 'Connect', 'Connect', 'OpenSent', 'OpenConfirm', 'Established'];

/** The state that RFC 4271 would name, of the connection that got furthest. */
export function stateName({ connections }: Session): string {
  const ranks = SIDES.map((side) => ORDER.indexOf(connections[side].kind));
  return NAMES[Math.max(...ranks)] as string;
}
