// Performs what the speaker asks for, and tells it what happens. One event at a time.
//
//   Transport --opened, data, drained, closed--> Host --events--> Speaker
//   Clock -------timers------------------------>  |  <--effects---   |
//                                                 +--> Transport, Clock, onRoutes, onNote
import { encodeMessage, type Message } from '@calico/bgp-wire';
import type { Clock } from '@calico/clock';
import type { Address, Prefix } from '@calico/ip';
import type { Connection, ConnectionHandler, Transport } from '../../ports.ts';
import { type ConnectionEvent, SIDES, type Side, type TimerName } from '../session/types.ts';
import type { SpeakerConfig } from '../speaker/config.ts';
import type { BfdNews, Note, PeerTimer, SpeakerEffect, SpeakerEvent } from '../speaker/events.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { ConnectionRate } from './connection_rate.ts';
import { Link } from './link.ts';
import { Timers } from './timers.ts';

export type HostOptions = {
  readonly speaker: Speaker;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly onRoutes: (prefixes: readonly Prefix[]) => void;
  readonly onNote: (note: Note) => void;
  /** Messages of the sessions; of UPDATEs only what peers send. */
  readonly onMessage?: (
    peer: string,
    side: Side,
    direction: 'sent' | 'received',
    message: Message,
  ) => void;
};

type ConnectionWork = Extract<SpeakerEffect, { readonly kind: 'connection' }>['work'];

export class Host {
  readonly #options: HostOptions;
  readonly #links = new Map<string, Link>();
  readonly #timers: Timers;
  readonly #events: SpeakerEvent[] = [];
  readonly #rate = new ConnectionRate();
  #isRunning = false;
  /** The connection just accepted, until the session adopts or refuses it. */
  #candidate: Link | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock, (name) => this.#expired(name));
  }

  configure(config: SpeakerConfig): void {
    this.#options.speaker.configure(config, this.#options.clock.now());
    this.#run();
  }

  /** Next hops may be reached through other interfaces now. */
  refreshInterfaces(): void {
    this.#options.speaker.refreshInterfaces();
    this.#run();
  }

  /** BFD has something to say about the path to a peer. */
  pathChanged(peer: string, news: BfdNews): void {
    this.#dispatch({ kind: 'bfd', peer, news });
  }

  /** Own routes are complete: End-of-RIB may be sent. */
  completeExports(): void {
    this.#dispatch({ kind: 'exports-complete' });
  }

  /** A peer has connected. Connections that belong to no peer are closed, and those of a flood. */
  accept(address: Address, connection: Connection, interfaceName?: string): ConnectionHandler {
    const link = new Link();
    link.connection = connection;
    const { speaker, clock } = this.#options;
    const peer = speaker.admit(address, clock.now(), interfaceName);
    if (peer === undefined || !this.#rate.allows(peer.config.key, clock.now())) {
      link.close();
      return NOBODY;
    }
    const { key } = peer.config;
    const handler = this.#handler(key, link);
    this.#candidate = link;
    this.#dispatch({ kind: 'session', peer: key, event: { kind: 'accepted' } });
    this.#candidate = undefined;
    return handler;
  }

  /** Closes every connection without a word, so that peers keep our routes (RFC 4724). */
  stop(): void {
    this.#timers.cancelAll('');
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #handler(peer: string, link: Link): ConnectionHandler {
    const tell = (event: ConnectionEvent): void => {
      const { side } = link;
      this.#dispatch({ kind: 'session', peer, event: { kind: 'connection', side, event } });
    };
    return {
      opened: () => {
        if (!link.isClosed) tell({ kind: 'opened' });
      },
      data: (bytes) => this.#receive(peer, link, bytes),
      drained: () => {
        if (link.isClosed) return;
        if (link.isBlocked) {
          link.isBlocked = false;
          tell({ kind: 'unblocked' });
        }
        this.#dispatch({ kind: 'writable', peer });
      },
      closed: (reason) => {
        if (link.isClosed) return;
        link.connection = undefined;
        tell({ kind: 'closed', reason });
      },
    };
  }

  #receive(peer: string, link: Link, bytes: Uint8Array): void {
    link.push(bytes);
    const { side } = link;
    const { speaker, clock } = this.#options;
    while (!link.isClosed) {
      const event = link.next();
      if (event === undefined) break;
      const isUpdate = event.kind === 'message' && event.message.kind === 'update';
      speaker.handle(
        { kind: 'session', peer, event: { kind: 'connection', side, event } },
        clock.now(),
      );
      if (event.kind === 'message') {
        this.#options.onMessage?.(peer, side, 'received', event.message);
      }
      // What is read next may depend on this message; a run of routes is decided on together.
      if (!isUpdate) this.#run();
    }
    this.#run();
  }

  #dispatch(event: SpeakerEvent): void {
    this.#events.push(event);
    this.#run();
  }

  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const { speaker, clock } = this.#options;
    try {
      for (;;) {
        for (const effect of speaker.flush()) this.#perform(effect);
        const event = this.#events.shift();
        if (event === undefined) break;
        speaker.handle(event, clock.now());
      }
    } finally {
      this.#isRunning = false;
    }
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
        return this.#options.onRoutes(effect.prefixes);
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
        this.#candidate?.close();
        this.#candidate = undefined;
        return;
      case 'dial':
        return this.#dial(peer);
      case 'close':
        this.#links.get(linkKey(peer, work.side))?.close();
        this.#links.delete(linkKey(peer, work.side));
        return;
      case 'send': {
        const link = this.#links.get(linkKey(peer, work.side));
        this.#options.onMessage?.(peer, work.side, 'sent', work.message);
        if (link !== undefined) this.#write(peer, link, encodeMessage(work.message, link.context));
        return;
      }
      case 'read-as':
        this.#links.get(linkKey(peer, work.side))?.readAs(work.context);
        return;
      case 'set-timer': {
        const shortened = work.delayMs * (1 - work.jitter * this.#options.random());
        return this.#timers.set(timerKey(peer, work.side, work.timer), shortened);
      }
      case 'cancel-timer':
        return this.#timers.cancel(timerKey(peer, work.side, work.timer));
      default:
        work satisfies never;
    }
  }

  #dial(peer: string): void {
    const found = this.#options.speaker.peers.get(peer);
    if (found === undefined) return;
    const { key: _key, ...target } = found.config;
    const link = new Link();
    link.connection = this.#options.transport.dial(target, this.#handler(peer, link));
    this.#links.set(linkKey(peer, 'outgoing'), link);
  }

  #send(peer: string, side: Side, messages: readonly Uint8Array[]): void {
    const link = this.#links.get(linkKey(peer, side));
    // One write for all: a system call per message costs more than the copy.
    const isWritable = link !== undefined && this.#write(peer, link, joined(messages));
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
    this.#timers.cancelAll(`${peer}|`);
    for (const side of SIDES) {
      this.#links.get(linkKey(peer, side))?.close();
      this.#links.delete(linkKey(peer, side));
    }
  }

  #expired(name: string): void {
    const [peer = '', second = '', timer] = name.split('|');
    if (timer === undefined) {
      return this.#dispatch({ kind: 'peer-timer', peer, timer: second as PeerTimer });
    }
    const event: ConnectionEvent = { kind: 'timer', timer: timer as TimerName };
    const side = second as Side;
    this.#dispatch({ kind: 'session', peer, event: { kind: 'connection', side, event } });
  }
}

function joined(messages: readonly Uint8Array[]): Uint8Array {
  const [first] = messages;
  if (messages.length === 1 && first !== undefined) return first;
  let length = 0;
  for (const message of messages) length += message.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const message of messages) {
    whole.set(message, at);
    at += message.length;
  }
  return whole;
}

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
