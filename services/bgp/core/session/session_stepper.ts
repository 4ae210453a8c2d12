import {
  CeaseSubcode,
  cease,
  describeNotification,
  ErrorCode,
  hardReset,
  type Notification,
  OpenError,
} from '@calico/bgp-wire';
import { isDecider, judgeCollision } from './collision.ts';
import { stepConnection } from './connection.ts';
import type { Session, SessionEvent } from './session.ts';
import { cancelAll, RECEIVED } from './transitions.ts';
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
  SIDES,
  type Side,
} from './types.ts';

/** One step of a session; made for one event and thrown away. */
export class SessionStepper {
  session: Session;
  readonly effects: SessionEffect[] = [];
  readonly #config: SessionConfig;
  readonly #now: number;

  constructor(session: Session, config: SessionConfig, now: number) {
    this.session = session;
    this.#config = spokenAs(session, config);
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
        this.#end(event.notification, stopText(event.notification));
        this.effects.push({ kind: 'cancel-idle-hold' });
        this.#set({ phase: 'stopped', errors: 0, lastError: '', refusal: '' });
        return;
      case 'reset':
        if (this.session.phase === 'stopped') return;
        this.#end(event.notification, event.reason);
        if (event.restMs === undefined) this.#rest(event.reason);
        else this.#restFor(event.restMs, event.reason);
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
    const side = this.#placeForAccepted();
    if (side === undefined) {
      const notification = this.#isShut ? cease(CeaseSubcode.ConnectionRejected) : undefined;
      this.effects.push({ kind: 'refuse', notification });
      return;
    }
    if (this.#at(side).kind !== 'idle') this.#drop(side);
    this.effects.push({ kind: 'adopt', side });
    this.#connection(side, { kind: 'opened' });
  }

  /**
   * A free place; else that of a connection which has not said a word yet. A session that rests
   * accepts nothing.
   */
  #placeForAccepted(): Side | undefined {
    if (this.session.phase !== 'running') return undefined;
    const places = ['incoming', 'second'] as const;
    return (
      places.find((side) => this.#at(side).kind === 'idle') ??
      places.find((side) => isUnproven(this.#at(side)))
    );
  }

  /**
   * The peer is told of what lasts (RFC 4486 section 4). What passes in a moment is not worth a word: many
   * daemons would rest after it, and refuse us meanwhile.
   */
  get #isShut(): boolean {
    return this.session.phase === 'resting' && this.session.isShut === true;
  }

  #connection(side: Side, event: ConnectionEvent): void {
    const before = this.#at(side);
    const { next, effects, failure } = stepConnection(before, event, this.#config);
    if (refusesAsn(event)) this.#reconsiderAsn(before);
    this.#put(side, next);
    if (before.kind !== 'open-confirm' && next.kind === 'open-confirm') {
      // Before our KEEPALIVE goes out: the peer takes it as the word that this connection stays.
      if (!this.#survivesCollisions(side, before, next.negotiated)) return;
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

  /**
   * The peer has refused the AS number of our OPEN. Where several connections were told the same number,
   * it refuses all of them: once is enough.
   */
  #reconsiderAsn(connection: Connection): void {
    const { dualAsn } = this.#config;
    const { usesDualAsn = false } = this.session;
    if (dualAsn === undefined || saidDualAsn(connection, dualAsn) !== usesDualAsn) return;
    this.#set({ usesDualAsn: !usesDualAsn });
  }

  #survivesCollisions(side: Side, before: Connection, { remoteOpen }: Negotiated): boolean {
    const ageMs = this.#now - this.session.since;
    for (const other of SIDES) {
      if (other === side) continue;
      const arrived = { side, open: remoteOpen };
      const verdict = judgeCollision(this.#config, arrived, this.#at(other), ageMs);
      if (verdict === 'close-arrived') {
        this.#abandon(side, before);
        return false;
      }
      if (verdict === 'close-other') this.#abandon(other);
      if (verdict === 'other-is-dead') this.#loseEstablished(other, 'The peer has restarted');
    }
    // No second attempt while this one has got that far.
    if (this.#at('outgoing').kind === 'active') {
      this.#emit('outgoing', [{ kind: 'cancel-timer', timer: 'connect-retry' }]);
    }
    return true;
  }

  /** Closes a connection in favour of another one. @param before our OPEN has gone out in that state, or not */
  #abandon(side: Side, before = this.#at(side)): void {
    const message = cease(CeaseSubcode.ConnectionCollision);
    this.#drop(side, hasSentOpen(before) ? message : undefined);
  }

  #drop(side: Side, notification?: Notification): void {
    if (this.#at(side).kind === 'idle') return;
    this.#emit(side, [
      ...cancelAll(),
      ...(notification === undefined ? [] : [{ kind: 'send', message: notification } as const]),
      { kind: 'close' },
    ]);
    this.#put(side, IDLE);
  }

  #established(side: Side, negotiated: Negotiated): void {
    const decides = isDecider(this.#config, negotiated.remoteOpen);
    const others = SIDES.filter((other) => other !== side);
    const established = others.find((other) => this.#at(other).kind === 'established');
    // A peer that decides keeps what it dialled. This KEEPALIVE went out before it knew of both.
    if (established !== undefined && side === 'outgoing' && !decides) return this.#abandon(side);
    if (established !== undefined) {
      // The peer has decided for the new connection; its word about the old one is under way.
      this.#loseEstablished(established, 'Connection collision resolution');
      this.#set({ isChanging: true });
    }
    for (const other of others) {
      if (!isUnderWay(this.#at(other)) || decides) this.#abandon(other);
    }
    const { isChanging } = this.session;
    this.#set({ since: this.#now, lastError: '', refusal: '', isChanging: false });
    this.effects.push({ kind: 'up', side, negotiated, ...(isChanging && { isReplacing: true }) });
  }

  /** An established connection makes room for another one to the same peer. */
  #loseEstablished(side: Side, reason: string): void {
    const before = this.#at(side);
    if (before.kind !== 'established') return;
    this.#drop(side);
    const { negotiated } = before;
    this.#lose(negotiated, isResumable(negotiated), reason, true);
    this.#set({ lastError: reason, refusal: '' });
  }

  #failed(side: Side, before: Connection, failure: Failure): void {
    if (before.kind === 'established') return this.#down(before.negotiated, failure);
    const others = SIDES.filter((other) => other !== side).map((other) => this.#at(other));
    // Another connection decides: this one may just have lost a collision on the far side.
    if (others.some((other) => hasSentOpen(other) && !isUnproven(other))) return;
    // Anybody on the peer's node can connect and talk nonsense: no reason to rest, nor to dial later.
    if (side !== 'outgoing' && isUnproven(before)) {
      if (this.#at('outgoing').kind === 'idle') this.#waitToDial();
      return;
    }
    if (failure.kind !== 'error') {
      this.#set(sinceThen(this.session.refusal, failure.reason));
      return this.#waitToDial();
    }
    if (!others.some(isUnproven)) return this.#rest(failure.reason);
    // One of these may be the peer's, with its OPEN under way; or a stranger's, and then nothing follows.
    this.#set({ lastError: failure.reason, refusal: failure.reason });
    this.#waitToDial(this.#nextRestMs());
  }

  #down(negotiated: Negotiated, failure: Failure): void {
    const wasStable = this.#now - this.session.since >= this.#config.timing.stableMs;
    const { gracefulRestart } = negotiated;
    const isKept =
      failure.isSilent || (gracefulRestart?.keepsOnNotification === true && failure.keepsRoutes);
    const isGraceful = isKept && isResumable(negotiated);
    this.#lose(negotiated, isGraceful, failure.reason);
    this.#set(sinceThen('', failure.reason));
    if (wasStable) this.#set({ errors: 0 });
    if (failure.kind === 'retry') this.#waitToDial();
    else this.#rest(failure.reason);
    const goesOn = SIDES.some((side) => this.#at(side).kind === 'open-confirm');
    this.#set({ isChanging: isGraceful && goesOn });
  }

  /** Listens at once and dials after the retry time: a restarting peer dials us by itself. */
  #waitToDial(delayMs = this.#config.timing.connectRetryMs): void {
    this.#set({ isChanging: false });
    const { kind } = this.#at('outgoing');
    if (kind !== 'idle' && kind !== 'active') return;
    this.#put('outgoing', { kind: 'active' });
    if (this.#config.isPassive) return;
    this.#emit('outgoing', [
      { kind: 'set-timer', timer: 'connect-retry', delayMs, jitter: CONNECT_RETRY_JITTER },
    ]);
  }

  #rest(reason: string): void {
    this.#restFor(this.#nextRestMs(), reason);
  }

  /** After one more error. */
  #nextRestMs(): number {
    const { idleHoldMs, maximumIdleHoldMs } = this.#config.timing;
    const { errors } = this.session;
    this.#set({ errors: errors + 1 });
    return Math.min(maximumIdleHoldMs, idleHoldMs * 2 ** errors);
  }

  #restFor(delayMs: number | 'forever', reason: string): void {
    for (const side of SIDES) this.#drop(side);
    const isShut = delayMs === 'forever' || delayMs > this.#config.timing.maximumIdleHoldMs;
    this.#set({ phase: 'resting', lastError: reason, refusal: reason, isChanging: false, isShut });
    if (delayMs !== 'forever') this.effects.push({ kind: 'set-idle-hold', delayMs });
  }

  #end(notification: Notification | undefined, reason: string): void {
    for (const side of SIDES) {
      const before = this.#at(side);
      const isKept = notification !== undefined && keepsRoutes(before, notification);
      const message =
        isKept || !keepsOnNotification(before) ? notification : hardened(notification);
      this.#drop(side, hasSentOpen(before) ? message : undefined);
      if (before.kind !== 'established') continue;
      const { negotiated } = before;
      this.#lose(negotiated, isKept, reason);
    }
  }

  #lose(negotiated: Negotiated, isGraceful: boolean, reason: string, isDropped = false): void {
    const how = isDropped ? { isDropped } : {};
    this.effects.push({ kind: 'down', negotiated, isGraceful, reason, ...how });
    const losses = this.session.losses + 1;
    this.#set({ since: this.#now, losses, lastLoss: { at: this.#now, reason } });
  }

  #at(side: Side): Connection {
    return this.session.connections[side];
  }

  #put(side: Side, connection: Connection): void {
    this.#set({ connections: { ...this.session.connections, [side]: connection } });
  }

  #emit(side: Side, effects: readonly ConnectionEffect[]): void {
    for (const effect of effects) this.effects.push({ ...effect, side });
  }

  #set(changes: Partial<Session>): void {
    this.session = { ...this.session, ...changes };
  }
}

/** The configuration by the AS number that this session is tried with. */
function spokenAs({ usesDualAsn }: Session, config: SessionConfig): SessionConfig {
  const { dualAsn } = config;
  return usesDualAsn && dualAsn !== undefined ? { ...config, localAsn: dualAsn } : config;
}

/** The peer has another AS number configured for us. */
function refusesAsn(event: ConnectionEvent): boolean {
  if (event.kind !== 'message' || event.message.kind !== 'notification') return false;
  const { code, subcode } = event.message;
  return code === ErrorCode.Open && subcode === OpenError.BadPeerAs;
}

/** Whether our OPEN had that number; undefined: the peer has nothing to refuse, or has agreed to it. */
function saidDualAsn(connection: Connection, dualAsn: number): boolean | undefined {
  if (connection.kind === 'open-sent') return connection.localOpen.asn === dualAsn;
  if (connection.kind !== 'open-confirm') return undefined;
  return connection.negotiated.usesDualAsn === true;
}

/** Has not said a word yet. */
function isUnproven({ kind }: Connection): boolean {
  return kind === 'open-sent' || kind === 'open-delayed';
}

function keepsOnNotification(connection: Connection): boolean {
  return (
    connection.kind === 'established' &&
    connection.negotiated.gracefulRestart?.keepsOnNotification === true
  );
}

/** Reasons to end a session that pass: RFC 8538 section 5 leaves the rest to a hard reset. */
function keepsRoutes(connection: Connection, { code, subcode }: Notification): boolean {
  const isPassing =
    subcode === CeaseSubcode.AdministrativeReset ||
    subcode === CeaseSubcode.OtherConfigurationChange;
  return keepsOnNotification(connection) && code === ErrorCode.Cease && isPassing;
}

function hardened(notification: Notification | undefined): Notification | undefined {
  return notification === undefined ? undefined : hardReset(notification);
}

function isUnderWay({ kind }: Connection): boolean {
  return kind === 'open-sent' || kind === 'open-confirm';
}

/** Whether a NOTIFICATION may be sent. */
function hasSentOpen(connection: Connection): boolean {
  return isUnderWay(connection) || connection.kind === 'established';
}

function isResumable({ gracefulRestart }: Negotiated): boolean {
  return gracefulRestart !== undefined;
}

/** What was said when the ends last spoke tells more than how the peer does not answer now. */
function sinceThen(refusal: string, reason: string): Pick<Session, 'lastError' | 'refusal'> {
  if (reason.startsWith(RECEIVED)) return { lastError: reason, refusal: reason };
  return { lastError: refusal === '' ? reason : `${refusal}; now: ${reason}`, refusal };
}

function stopText(notification: Notification | undefined): string {
  return notification === undefined ? 'Stopped' : `Sent: ${describeNotification(notification)}`;
}
