// Performs what the speaker asks for, and tells it what happens. One event at a time.
//
//   Transport --opened, data, drained, closed--> Host --events--> Speaker
//   Clock -------timers------------------------>  |  <--effects---   |
//                                                 +--> Transport, Clock, onRoutes, onNote
import { cease, encodeMessage, HEADER_LENGTH, joinBytes, MessageType } from '@calico/bgp-wire';
import type { Clock } from '@calico/clock';
import type { Address } from '@calico/ip';
import type { Connection, ConnectionHandler, Transport } from '../../ports.ts';
import { type ConnectionEvent, SIDES, type Side, type TimerName } from '../session/types.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import type { BfdNews, Note, PeerTimer, SpeakerEffect, SpeakerEvent } from '../speaker/events.ts';
import { refusalOf } from '../speaker/guests.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { ConnectionRate } from './connection_rate.ts';
import { Later } from './later.ts';
import { Link } from './link.ts';
import { Pace } from './pace.ts';
import { receivedMessage, type SessionMessage } from './session_message.ts';
import { Timers } from './timers.ts';
import { Turns } from './turns.ts';

/** Best paths that changed, by their numbers in the routing table. */
export type RouteNews = Pick<
  Extract<SpeakerEffect, { readonly kind: 'routes' }>,
  'prefixes' | 'isLosing'
>;

export type HostOptions = {
  readonly speaker: Speaker;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Shared by all who put work off; by default its own. */
  readonly turns?: Turns;
  /** Finds out what the decision about what has been read asks for. */
  readonly beforeDecision?: () => SpeakerEvent | undefined;
  readonly onRoutes: (news: RouteNews) => void;
  readonly onNote: (note: Note) => void;
  /** Messages of the sessions, without UPDATEs. */
  readonly onMessage?: (message: SessionMessage) => void;
  /** What an established session sends, pieces of whole messages. */
  readonly onSent?: (peer: string, pieces: readonly Uint8Array[]) => void;
  /** Bodies of the UPDATEs of a peer, after they have been taken in. */
  readonly onUpdates?: (peer: string, bodies: readonly Uint8Array[]) => void;
};

/** So much is read of one connection before the next has its turn. */
const READ_BYTES = 32 * 1024;

/** So many UPDATEs are taken in before the clock is looked at: there may be a thousand in READ_BYTES. */
const BODIES = 256;

/** Time for what waits in the kernel to be read before silence is believed. */
const LISTEN_MS = 100;

type ConnectionWork = Extract<SpeakerEffect, { readonly kind: 'connection' }>['work'];

export class Host {
  readonly #options: HostOptions;
  readonly #links = new Map<string, Link>();
  readonly #timers: Timers;
  readonly #events: SpeakerEvent[] = [];
  /** Connections with something to read, in the order in which it came. */
  readonly #readable = new Map<Link, string>();
  readonly #turns: Turns;
  /** Goes on in another turn. */
  readonly #next: Later;
  readonly #pace = new Pace();
  readonly #rate = new ConnectionRate();
  /** Hold timers that have run out while there may be something to read. */
  readonly #overdue = new Set<string>();
  /** Peers to dial, a few per turn: a connection costs as much as many messages. */
  readonly #dials = new Set<string>();
  #isRunning = false;
  /** The speaker has more to do. */
  #hasMore = false;
  /** The connection just accepted, until the session adopts or refuses it. */
  #candidate: Link | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock, (name) => this.#expired(name));
    this.#turns = options.turns ?? new Turns(options.clock);
    this.#next = new Later(this.#turns.defer, () => {
      this.#run();
      this.#dialSome();
    });
  }

  configure(config: SpeakerConfig): void {
    this.#turns.begin();
    this.#options.speaker.configure(config, this.#options.clock.now());
    this.#run();
  }

  /** Next hops may be reached through other interfaces now. Whether that is asked for. */
  refreshInterfaces(): boolean {
    const isAsked = this.#options.speaker.refreshInterfaces();
    this.#run();
    return isAsked;
  }

  /** BFD has something to say about the path to a peer. */
  pathChanged(peer: string, news: BfdNews): void {
    this.#dispatch({ kind: 'bfd', peer, news });
  }

  /** What an operator, a client of this process or a service asks for. */
  order(
    event: Extract<
      SpeakerEvent,
      { kind: 'session' | 'refresh' | 'inject' | 'take-back' | 'services' }
    >,
  ): void {
    this.#dispatch(event);
  }

  /** The speaker has been asked to look at itself: what follows is done. */
  goOn(): void {
    this.#run();
  }

  /** Own routes are complete: End-of-RIB may be sent. */
  completeExports(): void {
    this.#dispatch({ kind: 'exports-complete' });
  }

  /** Somebody has connected. Connections of no peer are ended, and those of a flood. */
  accept(address: Address, connection: Connection, interfaceName?: string): ConnectionHandler {
    const link = new Link();
    link.connection = connection;
    const { speaker, clock } = this.#options;
    const peer = speaker.admit(address, clock.now(), interfaceName);
    const key = peer?.config.key ?? STRANGERS;
    if (!this.#rate.allows(key, clock.now())) {
      link.reset();
      return NOBODY;
    }
    if (peer === undefined) {
      const refusal = refusalOf({ address, interfaceName }, speaker.config ?? {});
      link.refuse(refusal === undefined ? undefined : cease(refusal));
      return NOBODY;
    }
    const handler = this.#handler(key, link);
    this.#candidate = link;
    this.#dispatch({ kind: 'session', peer: key, event: { kind: 'accepted' } });
    this.#candidate = undefined;
    return handler;
  }

  /** Closes every connection without a word, so that peers keep our routes (RFC 4724). */
  stop(): void {
    this.#timers.cancelAll('');
    this.#next.stop();
    this.#dials.clear();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #handler(peer: string, link: Link): ConnectionHandler {
    return {
      opened: () => {
        if (link.isClosed) return;
        link.open();
        this.#readSoon(peer, link);
      },
      data: (bytes) => {
        if (link.isClosed) return;
        link.push(bytes);
        this.#readSoon(peer, link);
      },
      drained: () => {
        if (link.isClosed) return;
        if (link.isBlocked) {
          link.isBlocked = false;
          const { side } = link;
          const event = { kind: 'connection', side, event: { kind: 'unblocked' } } as const;
          this.#events.push({ kind: 'session', peer, event });
        }
        this.#events.push({ kind: 'writable', peer });
        this.#next.ask();
      },
      closed: (reason) => {
        if (link.isClosed) return;
        link.end(reason);
        this.#readSoon(peer, link);
      },
    };
  }

  /** Not at once: what arrives on several connections in one turn is decided on together. */
  #readSoon(peer: string, link: Link): void {
    this.#readable.set(link, peer);
    this.#next.ask();
  }

  /** Reads some of what has arrived; whether the connection may have more. */
  #read(peer: string, link: Link): boolean {
    const bodies: Uint8Array[] = [];
    let bytes = 0;
    while (!link.isClosed && bytes < READ_BYTES) {
      const received = link.next();
      const { side } = link;
      const type = received?.kind === 'frame' ? received.frame.type : undefined;
      const isEstablished = this.#options.speaker.isEstablished(peer, side);
      if (received?.kind === 'frame') {
        bytes += HEADER_LENGTH + received.frame.body.length;
        if (type === MessageType.Update && isEstablished) {
          bodies.push(received.frame.body);
          if (bodies.length < BODIES) continue;
          this.#take({ kind: 'updates', peer, side, bodies: bodies.splice(0) });
          if (this.#turns.isReadingOver) break;
          continue;
        }
      }
      this.#take({ kind: 'updates', peer, side, bodies: bodies.splice(0) });
      if (received === undefined) return false;
      if (received.kind === 'closed') link.connection = undefined;
      const event = received.kind === 'frame' ? link.decode(received.frame) : received;
      if (event.kind === 'malformed' && event.fault !== undefined) {
        this.#options.onNote({ kind: 'fault', peer, fault: event.fault });
      }
      this.#take({ kind: 'session', peer, event: { kind: 'connection', side, event } });
      if (received.kind === 'frame' && event.kind === 'message') {
        this.#options.onMessage?.(receivedMessage(peer, side, link, received.frame, event.message));
      }
      // What is read next may depend on this message; only on a KEEPALIVE nothing does.
      if (type !== MessageType.Keepalive || !isEstablished) this.#flush();
      if (this.#turns.isReadingOver) break;
    }
    this.#take({ kind: 'updates', peer, side: link.side, bodies });
    return !link.isClosed;
  }

  #take(event: SpeakerEvent): void {
    if (event.kind === 'updates' && event.bodies.length === 0) return;
    this.#options.speaker.handle(event, this.#options.clock.now());
    if (event.kind === 'updates') this.#options.onUpdates?.(event.peer, event.bodies);
  }

  #dispatch(event: SpeakerEvent): void {
    this.#events.push(event);
    this.#run();
  }

  /** Works until nothing is left or the turn is over. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      do {
        for (const event of this.#events.splice(0)) this.#take(event);
        for (const [link, peer] of Array.from(this.#readable)) {
          this.#readable.delete(link);
          if (this.#read(peer, link)) this.#readable.set(link, peer);
          if (this.#turns.isReadingOver) break;
        }
        this.#flush();
      } while (this.#mayGoOn);
    } finally {
      this.#isRunning = false;
    }
    if (this.#hasWork || this.#dials.size > 0) this.#next.ask();
  }

  get #hasWork(): boolean {
    return this.#hasMore || this.#events.length > 0 || this.#readable.size > 0;
  }

  /** What is read late in a turn would be decided on peer by peer: it waits for the next. */
  get #mayGoOn(): boolean {
    const isUrgent = this.#hasMore || this.#events.length > 0;
    return isUrgent ? !this.#turns.isOver : this.#readable.size > 0 && !this.#turns.isReadingOver;
  }

  #flush(): void {
    this.#hasMore = false;
    const { speaker, clock } = this.#options;
    const found = this.#options.beforeDecision?.();
    if (found !== undefined) this.#take(found);
    const start = clock.monotonic();
    for (const effect of speaker.flush(this.#pace.slice)) this.#perform(effect);
    if (!speaker.isCopying) this.#pace.learn(clock.monotonic() - start, this.#hasMore);
  }

  #perform(effect: SpeakerEffect): void {
    switch (effect.kind) {
      case 'connection':
        return this.#performConnection(effect.peer, effect.work);
      case 'set-timer':
        return this.#timers.set(`${effect.peer}|${effect.timer}`, effect.delayMs);
      case 'cancel-timer':
        return this.#timers.cancel(`${effect.peer}|${effect.timer}`);
      case 'send':
        return this.#send(effect.peer, effect.side, effect.messages);
      case 'forget':
        return this.#forget(effect.peer);
      case 'routes':
        return this.#options.onRoutes(effect);
      case 'continue':
        this.#hasMore = true;
        return;
      case 'note':
        return this.#options.onNote(effect.note);
      default:
        effect satisfies never;
    }
  }

  #performConnection(peer: string, work: ConnectionWork): void {
    switch (work.kind) {
      case 'adopt':
        if (this.#candidate !== undefined) {
          this.#candidate.side = work.side;
          this.#links.set(linkKey(peer, work.side), this.#candidate);
        }
        this.#candidate = undefined;
        return;
      case 'refuse':
        this.#candidate?.refuse(work.notification);
        this.#candidate = undefined;
        return;
      case 'dial':
        this.#dials.add(peer);
        return;
      case 'close':
        if (work.side === 'outgoing') this.#dials.delete(peer);
        this.#links.get(linkKey(peer, work.side))?.close();
        this.#links.delete(linkKey(peer, work.side));
        return;
      case 'send': {
        const { side, message } = work;
        const link = this.#links.get(linkKey(peer, side));
        if (link === undefined) return;
        const bytes = encodeMessage(message, link.context);
        const { kind } = message;
        const connection = link;
        this.#options.onMessage?.({ peer, side, connection, direction: 'sent', kind, bytes });
        this.#write(peer, link, bytes);
        return;
      }
      case 'read-as':
        this.#links.get(linkKey(peer, work.side))?.readAs(work.context);
        return;
      case 'set-timer': {
        const shortened = work.delayMs * (1 - work.jitter * this.#options.random());
        const name = timerKey(peer, work.side, work.timer);
        this.#overdue.delete(name);
        return this.#timers.set(name, shortened);
      }
      case 'cancel-timer':
        this.#overdue.delete(timerKey(peer, work.side, work.timer));
        return this.#timers.cancel(timerKey(peer, work.side, work.timer));
      default:
        work satisfies never;
    }
  }

  /** In turns of their own: what they follow from, such as a hundred new peers, is enough for one. */
  #dialSome(): void {
    for (const peer of this.#dials) {
      this.#dials.delete(peer);
      this.#dial(peer);
      if (this.#turns.isReadingOver) return;
    }
  }

  #dial(peer: string): void {
    const found = this.#options.speaker.peers.get(peer);
    if (found === undefined) return;
    const { address, port, sourceAddress, socket, interface: onLink } = found.config;
    const target = { address, port, sourceAddress, socket, interface: onLink };
    const link = new Link();
    link.connection = this.#options.transport.dial(target, this.#handler(peer, link));
    this.#links.set(linkKey(peer, 'outgoing'), link);
  }

  #send(peer: string, side: Side, messages: readonly Uint8Array[]): void {
    const link = this.#links.get(linkKey(peer, side));
    if (link !== undefined) this.#options.onSent?.(peer, messages);
    // One write for all: a system call per message costs more than the copy.
    const isWritable = link !== undefined && this.#write(peer, link, joinBytes(messages));
    if (isWritable) this.#events.push({ kind: 'writable', peer });
  }

  /** Whether the peer takes more. */
  #write(peer: string, link: Link, bytes: Uint8Array): boolean {
    const isWritable = link.connection?.send(bytes) ?? false;
    if (!isWritable && !link.isClosed && !link.isBlocked) {
      link.isBlocked = true;
      const { side } = link;
      const event = { kind: 'connection', side, event: { kind: 'blocked' } } as const;
      this.#events.push({ kind: 'session', peer, event });
    }
    return isWritable;
  }

  #forget(peer: string): void {
    this.#rate.forget(peer);
    this.#dials.delete(peer);
    this.#timers.cancelAll(`${peer}|`);
    for (const name of this.#overdue) if (name.startsWith(`${peer}|`)) this.#overdue.delete(name);
    for (const side of SIDES) {
      this.#links.get(linkKey(peer, side))?.close();
      this.#links.delete(linkKey(peer, side));
    }
  }

  /**
   * Timers run before sockets are read: after a long turn, or in a flood, the sign of life of a peer may lie
   * there already. Silence is what is left after a second look, with nothing more to read.
   */
  #mayBeHeard(name: string, link: Link | undefined): boolean {
    if (link === undefined) return false;
    if (this.#readable.has(link)) return true;
    if (this.#overdue.has(name)) return false;
    this.#overdue.add(name);
    return true;
  }

  #expired(name: string): void {
    const [peer = '', second = '', timer] = name.split('|');
    if (timer === undefined) {
      return this.#dispatch({ kind: 'peer-timer', peer, timer: second as PeerTimer });
    }
    const side = second as Side;
    if (timer === 'hold' && this.#mayBeHeard(name, this.#links.get(linkKey(peer, side)))) {
      return this.#timers.set(name, LISTEN_MS);
    }
    this.#overdue.delete(name);
    const event: ConnectionEvent = { kind: 'timer', timer: timer as TimerName };
    this.#dispatch({ kind: 'session', peer, event: { kind: 'connection', side, event } });
  }
}

/** All who are no peers, as to how fast they may come. */
const STRANGERS = '';

const NOBODY: ConnectionHandler = {
  opened: () => {},
  data: () => {},
  drained: () => {},
  closed: () => {},
};

function linkKey(peer: string, side: Side): string {
  return `${peer}|${side}`;
}

function timerKey(peer: string, side: Side, timer: TimerName): string {
  return `${peer}|${side}|${timer}`;
}
