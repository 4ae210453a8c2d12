// A session with one peer: two connections, collisions, rest after errors. Pure.
import { CeaseSubcode, cease, type Notification } from '@calico/bgp-wire';
import { isDecider, loserOfCollision } from './collision.ts';
import { stepConnection } from './connection.ts';
import { cancelAll } from './transitions.ts';
import {
  CONNECT_RETRY_JITTER,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
  type Failure,
  IDLE,
  type Negotiated,
  type SessionConfig,
  type SessionEffect,
  type Side,
} from './types.ts';

export type Session = {
  /** 'stopped': not wanted. 'resting': after an error. 'running': tries or is established. */
  readonly phase: 'stopped' | 'resting' | 'running';
  readonly outgoing: Connection;
  readonly incoming: Connection;
  /** Errors in a row. */
  readonly errors: number;
  /** Why it is not established; empty when it is, and before the first attempt ended. */
  readonly lastError: string;
  /** Milliseconds since the epoch at which it became established, or ceased to be. */
  readonly since: number;
};

export type SessionEvent =
  | { readonly kind: 'start' }
  /** Ends the session; the NOTIFICATION is sent where a connection has got that far. */
  | { readonly kind: 'stop'; readonly notification: Notification | undefined }
  /** Ends the session and starts it again after a rest. */
  | { readonly kind: 'reset'; readonly notification: Notification; readonly reason: string }
  /** The peer's connection was accepted. */
  | { readonly kind: 'accepted' }
  | { readonly kind: 'rested' }
  | { readonly kind: 'connection'; readonly side: Side; readonly event: ConnectionEvent };

export type SessionStep = { readonly session: Session; readonly effects: readonly SessionEffect[] };

export function newSession(now: number): Session {
  return {
    phase: 'stopped',
    outgoing: IDLE,
    incoming: IDLE,
    errors: 0,
    lastError: '',
    since: now,
  };
}

/** The state that RFC 4271 would name, of the connection that got furthest. */
export function stateName(session: Session): string {
  const order = ['idle', 'active', 'connect', 'open-sent', 'open-confirm', 'established'];
  const names = ['Idle', 'Active', 'Connect', 'OpenSent', 'OpenConfirm', 'Established'];
  const rank = ({ kind }: Connection): number => order.indexOf(kind);
  return names[Math.max(rank(session.outgoing), rank(session.incoming))] as string;
}

export function negotiatedOf({ outgoing, incoming }: Session): Negotiated | undefined {
  if (outgoing.kind === 'established') return outgoing.negotiated;
  return incoming.kind === 'established' ? incoming.negotiated : undefined;
}

export function stepSession(
  session: Session,
  event: SessionEvent,
  config: SessionConfig,
  now: number,
): SessionStep {
  const step = new Step(session, config, now);
  step.run(event);
  return { session: step.session, effects: step.effects };
}

class Step {
  session: Session;
  readonly effects: SessionEffect[] = [];
  readonly #config: SessionConfig;
  readonly #now: number;

  constructor(session: Session, config: SessionConfig, now: number) {
    this.session = session;
    this.#config = config;
    this.#now = now;
  }

  run(event: SessionEvent): void {
    switch (event.kind) {
      case 'start':
        if (this.session.phase === 'stopped') this.#start();
        return;
      case 'rested':
        if (this.session.phase === 'resting') this.#start();
        return;
      case 'stop':
        this.#end(event.notification, 'Stopped');
        this.effects.push({ kind: 'cancel-idle-hold' });
        this.#set({ phase: 'stopped', errors: 0, lastError: '' });
        return;
      case 'reset':
        this.#end(event.notification, event.reason);
        this.#rest(event.reason);
        return;
      case 'accepted':
        return this.#accept();
      case 'connection':
        return this.#connection(event.side, event.event);
      default:
        event satisfies never;
    }
  }

  #start(): void {
    this.#set({ phase: 'running' });
    this.#connection('outgoing', { kind: 'start' });
  }

  #accept(): void {
    const { phase, incoming } = this.session;
    if (phase !== 'running') return this.#refuse(undefined);
    const established = negotiatedOf(this.session);
    if (established !== undefined) {
      // RFC 4724 section 5: a peer that dials anew has restarted without our noticing. Two
      // connections that were opened at the same moment are no restart.
      const isRestart =
        established.gracefulRestart !== undefined &&
        this.#now - this.session.since >= this.#config.timing.connectRetryMs;
      if (!isRestart) return this.#refuse(cease(CeaseSubcode.ConnectionCollision));
      const side: Side = this.session.outgoing.kind === 'established' ? 'outgoing' : 'incoming';
      this.#drop(side, { kind: 'retry', reason: 'The peer restarted', isSilent: true });
    } else if (incoming.kind !== 'idle') {
      // The peer gave its earlier attempt up; the shell replaces the connection.
      this.#replaceIncoming();
    }
    this.effects.push({ kind: 'adopt' });
    this.#connection('incoming', { kind: 'opened' });
    // One attempt at a time is enough: ours goes on only if it is already under way.
    if (this.session.outgoing.kind === 'active') {
      this.effects.push({ kind: 'cancel-timer', timer: 'connect-retry', side: 'outgoing' });
    }
  }

  /** Closes the connection just accepted, which is not part of the session yet. */
  #refuse(notification: Notification | undefined): void {
    this.effects.push({ kind: 'refuse', ...(notification === undefined ? {} : { notification }) });
  }

  #replaceIncoming(): void {
    this.#emit('incoming', [...cancelAll(), { kind: 'close' }]);
    this.#set({ incoming: IDLE });
  }

  #connection(side: Side, event: ConnectionEvent): void {
    const before = this.session[side];
    const { next, effects, failure } = stepConnection(before, event, this.#config);
    this.#set({ [side]: next });
    if (before.kind === 'open-sent' && next.kind === 'open-confirm') {
      // Before our KEEPALIVE goes out: the peer takes it as the word that this connection stays.
      if (this.#resolveCollision(side) === side) return;
    }
    this.#emit(side, effects);
    if (before.kind === 'open-confirm' && next.kind === 'established') {
      this.#established(side, next.negotiated);
    }
    if (before.kind === 'established' && next.kind === 'established' && event.kind === 'message') {
      const { message } = event;
      if (message.kind === 'update') this.effects.push({ kind: 'update', update: message });
      if (message.kind === 'route-refresh') {
        this.effects.push({ kind: 'refresh', refresh: message });
      }
    }
    if (failure !== undefined) this.#failed(side, before, failure);
  }

  /** The side that was closed. */
  #resolveCollision(arrived: Side): Side | undefined {
    const other: Side = arrived === 'outgoing' ? 'incoming' : 'outgoing';
    const loser = loserOfCollision(
      this.#config,
      arrived,
      this.session[arrived],
      this.session[other],
    );
    if (loser !== undefined) this.#abandon(loser);
    return loser;
  }

  /** Closes a connection in favour of the other one. */
  #abandon(side: Side): void {
    const before = this.session[side];
    if (before.kind === 'idle') return;
    const message = cease(CeaseSubcode.ConnectionCollision);
    this.#emit(side, [
      ...cancelAll(),
      ...(isOpen(before) ? [{ kind: 'send', message } as const] : []),
      { kind: 'close' },
    ]);
    this.#set({ [side]: IDLE });
  }

  #established(side: Side, negotiated: Negotiated): void {
    const other: Side = side === 'outgoing' ? 'incoming' : 'outgoing';
    const before = this.session[other];
    if (before.kind === 'established') {
      // The peer has decided for the new connection; its word about the old one is under way.
      const reason = 'Connection collision resolution';
      const { negotiated: old } = before;
      this.effects.push({ kind: 'down', negotiated: old, isGraceful: isResumable(old), reason });
    }
    if (!isUnderWay(before) || isDecider(this.#config, negotiated.remoteOpen)) {
      this.#abandon(other);
    }
    this.#set({ since: this.#now, lastError: '' });
    this.effects.push({ kind: 'up', side, negotiated });
  }

  #failed(side: Side, before: Connection, failure: Failure): void {
    const other = this.session[side === 'outgoing' ? 'incoming' : 'outgoing'];
    if (before.kind === 'established') return this.#downAndGoOn(before.negotiated, failure);
    // The other connection decides: this one may just have lost a collision on the far side.
    if (isUnderWay(other) || other.kind === 'established') return;
    this.#set({ lastError: failure.reason });
    if (failure.kind === 'error') return this.#rest(failure.reason);
    this.#waitOutgoing();
  }

  /** An established connection is closed from here because of something else. */
  #drop(side: Side, failure: Failure): void {
    const before = this.session[side];
    this.#emit(side, [...cancelAll(), { kind: 'close' }]);
    this.#set({ [side]: IDLE });
    if (before.kind === 'established') this.#downAndGoOn(before.negotiated, failure);
  }

  #downAndGoOn(negotiated: Negotiated, failure: Failure): void {
    const wasStable = this.#now - this.session.since >= this.#config.timing.stableMs;
    const isGraceful = failure.isSilent && isResumable(negotiated);
    this.effects.push({ kind: 'down', negotiated, isGraceful, reason: failure.reason });
    this.#set({ since: this.#now, lastError: failure.reason });
    if (wasStable) this.#set({ errors: 0 });
    if (failure.kind === 'error') this.#rest(failure.reason);
    else this.#waitOutgoing();
  }

  /** Listens at once and dials after the retry time: a restarting peer dials us by itself. */
  #waitOutgoing(): void {
    const { outgoing } = this.session;
    if (outgoing.kind !== 'idle' && outgoing.kind !== 'active') return;
    this.#set({ outgoing: { kind: 'active' } });
    if (this.#config.isPassive) return;
    const { connectRetryMs } = this.#config.timing;
    this.#emit('outgoing', [
      {
        kind: 'set-timer',
        timer: 'connect-retry',
        delayMs: connectRetryMs,
        jitter: CONNECT_RETRY_JITTER,
      },
    ]);
  }

  #rest(reason: string): void {
    for (const side of ['outgoing', 'incoming'] as const) {
      if (this.session[side].kind === 'idle') continue;
      this.#emit(side, [...cancelAll(), { kind: 'close' }]);
      this.#set({ [side]: IDLE });
    }
    const { idleHoldMs, maximumIdleHoldMs } = this.#config.timing;
    const { errors } = this.session;
    const delayMs = Math.min(maximumIdleHoldMs, idleHoldMs * 2 ** errors);
    this.#set({ phase: 'resting', errors: errors + 1, lastError: reason });
    this.effects.push({ kind: 'set-idle-hold', delayMs });
  }

  #end(notification: Notification | undefined, reason: string): void {
    for (const side of ['outgoing', 'incoming'] as const) {
      const before = this.session[side];
      if (before.kind === 'idle') continue;
      this.#emit(side, [
        ...cancelAll(),
        ...(isOpen(before) && notification !== undefined
          ? [{ kind: 'send', message: notification } as const]
          : []),
        { kind: 'close' },
      ]);
      this.#set({ [side]: IDLE });
      if (before.kind !== 'established') continue;
      const { negotiated } = before;
      this.effects.push({ kind: 'down', negotiated, isGraceful: false, reason });
      this.#set({ since: this.#now });
    }
  }

  #emit(side: Side, effects: readonly ConnectionEffect[]): void {
    for (const effect of effects) this.effects.push({ ...effect, side });
  }

  #set(changes: Partial<Session>): void {
    this.session = { ...this.session, ...changes };
  }
}

function isUnderWay({ kind }: Connection): boolean {
  return kind === 'open-sent' || kind === 'open-confirm';
}

/** Whether our OPEN is out, so that a NOTIFICATION may follow. */
function isOpen(connection: Connection): boolean {
  return isUnderWay(connection) || connection.kind === 'established';
}

function isResumable({ gracefulRestart }: Negotiated): boolean {
  return gracefulRestart !== undefined;
}
