// Ways out of a state that several states share.
import {
  CeaseSubcode,
  describeNotification,
  ErrorCode,
  isHardReset,
  KEEPALIVE,
  MessageType,
  type Notification,
  type Open,
  OpenError,
} from '@calico/bgp-wire';
import { negotiate } from './negotiation.ts';
import { makeOpen } from './open_message.ts';
import {
  CONNECT_RETRY_JITTER,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
  type Failure,
  IDLE,
  KEEPALIVE_JITTER,
  type Negotiated,
  type SessionConfig,
  type Transition,
} from './types.ts';

type Malformed = Extract<ConnectionEvent, { readonly kind: 'malformed' }>;

/** Starts the reason of a session that the peer has ended by a NOTIFICATION. */
export const RECEIVED = 'Received: ';

export function stay(state: Connection): Transition {
  return { next: state, effects: [] };
}

/** Dials, and dials anew when that takes longer than the retry time. */
export function dial(config: SessionConfig): Transition {
  return { next: { kind: 'connect' }, effects: [{ kind: 'dial' }, retryTimer(config)] };
}

export function waitForRetry(config: SessionConfig): Transition {
  const effects = config.isPassive ? [] : [retryTimer(config)];
  return { next: { kind: 'active' }, effects };
}

/** The connection is there: says OPEN, or waits whether the peer does. */
export function greet(config: SessionConfig): Transition {
  const { delayOpenMs } = config;
  if (delayOpenMs === 0) return sendOpen(config);
  return {
    next: { kind: 'open-delayed' },
    effects: [
      { kind: 'cancel-timer', timer: 'connect-retry' },
      { kind: 'set-timer', timer: 'delay-open', delayMs: delayOpenMs, jitter: 0 },
    ],
  };
}

export function sendOpen(config: SessionConfig): Transition {
  const localOpen = makeOpen(config);
  return {
    next: { kind: 'open-sent', localOpen },
    effects: [
      { kind: 'cancel-timer', timer: 'connect-retry' },
      { kind: 'send', message: localOpen },
      { kind: 'set-timer', timer: 'hold', delayMs: config.timing.openHoldMs, jitter: 0 },
    ],
  };
}

/** The peer's OPEN, whether ours went out before it or goes out now. */
export function acceptOpen(config: SessionConfig, localOpen: Open, remoteOpen: Open): Transition {
  const result = negotiate(config, localOpen, remoteOpen);
  if (result.kind === 'refused') return fail(result.notification, result.reason);
  const { negotiated } = result;
  return {
    next: { kind: 'open-confirm', negotiated },
    effects: [
      { kind: 'read-as', context: negotiated.context },
      { kind: 'cancel-timer', timer: 'hold' },
      ...sendKeepalive(negotiated),
      ...holdTimer(negotiated),
    ],
  };
}

/** Closes with a NOTIFICATION. */
export function fail(notification: Notification, reason: string): Transition {
  return {
    next: IDLE,
    effects: [...cancelAll(), { kind: 'send', message: notification }, { kind: 'close' }],
    failure: { kind: 'error', reason, isSilent: false, keepsRoutes: !isHardReset(notification) },
  };
}

export function failWith(code: number, subcode: number, data = new Uint8Array(0)): Transition {
  const notification: Notification = { kind: 'notification', code, subcode, data };
  return fail(notification, `Sent: ${describeNotification(notification)}`);
}

/** A message that the state has no place for. @param type of the message, which RFC 6608 section 4 tells the peer */
export function unexpected(subcode: number, type: number): Transition {
  return failWith(ErrorCode.FiniteStateMachine, subcode, Uint8Array.of(type));
}

/** What cannot be read. Where it has no place anyway, nobody asks what is wrong in it (events 21, 22 and 28). */
export function unreadable({ notification, reason }: Malformed, subcode: number): Transition {
  const { code } = notification;
  if (code === ErrorCode.Update) return unexpected(subcode, MessageType.Update);
  if (code === ErrorCode.RouteRefresh) return unexpected(subcode, MessageType.RouteRefresh);
  return fail(notification, reason);
}

export function receivedNotification(notification: Notification): Transition {
  const { code, subcode } = notification;
  // No error: the peer goes on with its other connection.
  const isCollision = code === ErrorCode.Cease && subcode === CeaseSubcode.ConnectionCollision;
  // RFC 4271 section 8.2.2, event 24: the one that is not damped.
  const isVersion = code === ErrorCode.Open && subcode === OpenError.UnsupportedVersion;
  // It does not know us yet, or has no place. While we rest, it could not come to us either.
  const isRejected =
    code === ErrorCode.Cease &&
    (subcode === CeaseSubcode.ConnectionRejected || subcode === CeaseSubcode.OutOfResources);
  const isPassing = isCollision || isVersion;
  return {
    next: IDLE,
    effects: [...cancelAll(), { kind: 'close' }],
    failure: {
      kind: isPassing ? 'retry' : isRejected ? 'refused' : 'error',
      reason: `${RECEIVED}${describeNotification(notification)}`,
      isSilent: isCollision,
      keepsRoutes: !isHardReset(notification),
    },
  };
}

export function lost(reason: string): Transition {
  const failure: Failure = { kind: 'retry', reason, isSilent: true, keepsRoutes: true };
  return { next: IDLE, effects: [...cancelAll(), { kind: 'close' }], failure };
}

/** Closes without a word where none may be said yet. */
export function giveUp(reason: string): Transition {
  const failure: Failure = { kind: 'error', reason, isSilent: true, keepsRoutes: true };
  return { next: IDLE, effects: [...cancelAll(), { kind: 'close' }], failure };
}

/** Restarts after everything heard from the peer. */
export function holdTimer({ holdTimeSeconds }: Negotiated): ConnectionEffect[] {
  if (holdTimeSeconds === 0) return [];
  return [{ kind: 'set-timer', timer: 'hold', delayMs: holdTimeSeconds * 1000, jitter: 0 }];
}

/** How long the peer may take nothing at all: RFC 9687 section 5. */
export function sendHoldTimer({ sendHoldSeconds }: Negotiated): ConnectionEffect[] {
  if (sendHoldSeconds === 0) return [];
  return [{ kind: 'set-timer', timer: 'send-hold', delayMs: sendHoldSeconds * 1000, jitter: 0 }];
}

export function keepaliveTimer({
  holdTimeSeconds,
  keepaliveSeconds,
}: Negotiated): ConnectionEffect[] {
  if (holdTimeSeconds === 0) return [];
  return [
    {
      kind: 'set-timer',
      timer: 'keepalive',
      delayMs: keepaliveSeconds * 1000,
      // Never more than one a second: RFC 4271 section 4.4.
      jitter: Math.min(KEEPALIVE_JITTER, 1 - 1 / keepaliveSeconds),
    },
  ];
}

export function sendKeepalive(negotiated: Negotiated): ConnectionEffect[] {
  return [{ kind: 'send', message: KEEPALIVE }, ...keepaliveTimer(negotiated)];
}

export function cancelAll(): ConnectionEffect[] {
  return [
    { kind: 'cancel-timer', timer: 'connect-retry' },
    { kind: 'cancel-timer', timer: 'hold' },
    { kind: 'cancel-timer', timer: 'keepalive' },
    { kind: 'cancel-timer', timer: 'delay-open' },
    { kind: 'cancel-timer', timer: 'send-hold' },
  ];
}

function retryTimer({ timing }: SessionConfig): ConnectionEffect {
  return {
    kind: 'set-timer',
    timer: 'connect-retry',
    delayMs: timing.connectRetryMs,
    jitter: CONNECT_RETRY_JITTER,
  };
}
