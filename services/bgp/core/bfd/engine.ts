// All BFD sessions of the node: finds the session of a packet, runs the timers, sends. Deterministic given
// clock, random numbers and channels.
//
//   datagrams --receive()--> Engine --step--> session
//   clock ------timers-----> Engine --send--> channel of the session
//                              +--status----> onStatus
import {
  BfdState,
  BfdWireError,
  type ControlPacket,
  decodeControlPacket,
  encodeControlPacket,
} from '@calico/bfd-wire';
import type { Clock } from '@calico/clock';
import { type Address, formatAddress } from '@calico/ip';
import { Timers } from '../host/timers.ts';
import {
  type BfdSession,
  controlPacket,
  detectionTime,
  newBfdSession,
  stepBfd,
  transmitInterval,
} from './session.ts';
import type { BfdEffect, BfdEvent, BfdStatus, BfdTarget, BfdTimer, OnLink } from './types.ts';

/** Sends to one peer. */
export type BfdChannel = { send(bytes: Uint8Array): void; close(): void };

export type BfdEngineOptions = {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Throws when the kernel refuses; it is tried again every RETRY_MS. */
  readonly open: (target: BfdTarget) => BfdChannel;
  /** Gives every datagram that has arrived to receive(), before somebody is called dead. */
  readonly drain: () => void;
  readonly onStatus: (status: BfdStatus) => void;
};

type BfdTimes = Pick<BfdStatus, 'transmitMs' | 'detectionMs'>;

type Running = {
  target: BfdTarget;
  session: BfdSession;
  since: number;
  /** What was reported last. */
  times: BfdTimes;
  readonly channel: BfdChannel;
};

/** A session that has ended: its peer hears so for its detection time (RFC 5880 section 6.8.16). */
type Leaving = {
  readonly channel: BfdChannel;
  readonly farewell: Uint8Array;
  readonly delayMs: number;
  left: number;
};

const NO_LINK: Pick<OnLink, 'interfaceIndex'> = { interfaceIndex: 0 };
/** Between two attempts to open a channel. */
const RETRY_MS = 3_000;
/** Of a process that ends: what a peer is told, as packets may be lost. */
const FAREWELLS = 3;
const FAREWELL_MS = 30;

export class BfdEngine {
  readonly #options: BfdEngineOptions;
  readonly #timers: Timers;
  /** By keyOf(). */
  readonly #sessions = new Map<string, Running>();
  readonly #byDiscriminator = new Map<number, Running>();
  readonly #leaving = new Map<string, Leaving>();
  #wanted: ReadonlyMap<string, BfdTarget> = new Map();

  constructor(options: BfdEngineOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock, (name) => this.#expired(name));
  }

  /** Makes the sessions what is wanted; those that stay the same are not disturbed. */
  configure(targets: readonly BfdTarget[]): void {
    this.#wanted = new Map(targets.map((target) => [keyOf(target.address, target.link), target]));
    for (const [key, running] of this.#sessions) {
      const target = this.#wanted.get(key);
      if (target === undefined || placeText(target) !== placeText(running.target)) this.#stop(key);
    }
    for (const [key, target] of this.#wanted) {
      const running = this.#sessions.get(key);
      if (running === undefined) {
        this.#start(key, target);
      } else {
        running.target = target;
        this.#step(key, { kind: 'configure' });
      }
    }
  }

  /**
   * A datagram that came from near enough. What is no packet for a session is ignored.
   * @param interfaceIndex that a link-local sender is on; 0 for others
   */
  receive(from: Address, isMultihop: boolean, bytes: Uint8Array, interfaceIndex = 0): void {
    const packet = decode(bytes);
    if (packet === undefined) return;
    const { yourDiscriminator } = packet;
    // Sections 6.3 and 6.8.6: a peer with several addresses may send from any.
    const running =
      yourDiscriminator === 0
        ? this.#sessions.get(keyOf(from, { interfaceIndex }))
        : this.#byDiscriminator.get(yourDiscriminator);
    if (running === undefined) return;
    const { address, link, settings } = running.target;
    const isThere = link === undefined || link.interfaceIndex === interfaceIndex;
    if (!isThere || settings.isMultihop !== isMultihop) return;
    this.#step(keyOf(address, link), { kind: 'packet', packet });
  }

  /** Tells every peer that silence is not a failure, and ends. */
  async stop(): Promise<void> {
    this.configure([]);
    for (let said = 1; said < FAREWELLS && this.#leaving.size > 0; said++) {
      await new Promise<void>((resolve) => this.#options.clock.setTimer(FAREWELL_MS, resolve));
      for (const { channel, farewell } of this.#leaving.values()) channel.send(farewell);
    }
    for (const key of this.#leaving.keys()) this.#leave(key);
    this.#timers.cancelAll('');
  }

  #start(key: string, target: BfdTarget): void {
    const { open, clock, onStatus } = this.#options;
    const { settings } = target;
    // Two sessions of one address would tell the peer two things.
    this.#leave(key);
    let channel: BfdChannel;
    try {
      channel = open(target);
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause);
      onStatus(unwatched(target, clock.now(), problem));
      this.#timers.set(`${key}|open`, RETRY_MS);
      return;
    }
    const discriminator = this.#freeDiscriminator();
    const session = newBfdSession(discriminator, settings);
    const running = { target, session, since: clock.now(), times: timesOf(session), channel };
    this.#sessions.set(key, running);
    this.#byDiscriminator.set(discriminator, running);
    this.#step(key, { kind: 'start' });
    this.#report(running);
  }

  #stop(key: string): void {
    const running = this.#sessions.get(key);
    if (running === undefined) return;
    this.#step(key, { kind: 'stop' });
    this.#timers.cancelAll(`${key}|`);
    this.#sessions.delete(key);
    const { session, target, channel } = running;
    this.#byDiscriminator.delete(session.discriminator);
    const farewell = encodeControlPacket(controlPacket(session, target.settings));
    const delayMs = (transmitInterval(session) ?? 0) / 1000;
    // Who has never been heard of does not mind.
    const left = session.remote.discriminator === 0 ? 0 : target.settings.detectMultiplier;
    this.#leaving.set(key, { channel, farewell, delayMs, left });
    this.#sayFarewell(key);
  }

  /** Once more, until the peer would have called this end down. */
  #sayFarewell(key: string): void {
    const leaving = this.#leaving.get(key);
    if (leaving === undefined) return;
    if (leaving.left === 0) return this.#leave(key);
    leaving.left -= 1;
    this.#timers.set(`${key}|farewell`, leaving.delayMs);
  }

  #leave(key: string): void {
    this.#timers.cancel(`${key}|farewell`);
    this.#leaving.get(key)?.channel.close();
    this.#leaving.delete(key);
  }

  #freeDiscriminator(): number {
    for (;;) {
      const candidate = Math.floor(this.#options.random() * 2 ** 32);
      if (candidate !== 0 && !this.#byDiscriminator.has(candidate)) return candidate;
    }
  }

  #expired(name: string): void {
    const [key = '', timer] = name.split('|');
    if (timer === 'open') {
      const target = this.#wanted.get(key);
      if (target !== undefined && !this.#sessions.has(key)) this.#start(key, target);
      return;
    }
    if (timer === 'farewell') {
      const leaving = this.#leaving.get(key);
      leaving?.channel.send(leaving.farewell);
      return this.#sayFarewell(key);
    }
    if (timer === 'detect' && this.#isHeardAfterAll(key)) return;
    this.#step(key, { kind: 'timer', timer: timer as BfdTimer });
  }

  /** Packets may have waited while this thread did not run: they have arrived in time. */
  #isHeardAfterAll(key: string): boolean {
    const before = this.#sessions.get(key)?.session;
    this.#options.drain();
    return this.#sessions.get(key)?.session !== before;
  }

  #step(key: string, event: BfdEvent): void {
    const running = this.#sessions.get(key);
    if (running === undefined) return;
    const { session, effects } = stepBfd(running.session, event, running.target.settings);
    running.session = session;
    for (const effect of effects) this.#perform(key, running, effect);
    // A peer that is up soon sends more often than before.
    if (!sameTimes(running.times, timesOf(session))) this.#report(running);
  }

  #perform(key: string, running: Running, effect: BfdEffect): void {
    switch (effect.kind) {
      case 'send':
        return running.channel.send(encodeControlPacket(effect.packet));
      case 'set-timer': {
        const [least, most] = effect.jitter;
        const share = least + (most - least) * this.#options.random();
        return this.#timers.set(`${key}|${effect.timer}`, effect.delayMs * (1 - share));
      }
      case 'cancel-timer':
        return this.#timers.cancel(`${key}|${effect.timer}`);
      case 'changed':
        running.since = this.#options.clock.now();
        return this.#report(running);
      default:
        return effect satisfies never;
    }
  }

  #report(running: Running): void {
    const { target, session, since } = running;
    running.times = timesOf(session);
    this.#options.onStatus({
      ...whereabouts(target),
      state: session.state,
      cause: session.cause,
      since,
      ...running.times,
      isRemoteIndependent: session.remote.isIndependent,
      problem: '',
    });
  }
}

/** The status of a path that cannot be watched. */
export function unwatched(target: BfdTarget, since: number, problem: string): BfdStatus {
  return {
    ...whereabouts(target),
    since,
    problem,
    state: BfdState.Down,
    cause: 'starting',
    transmitMs: 0,
    detectionMs: 0,
    isRemoteIndependent: false,
  };
}

function whereabouts({ address, link }: BfdTarget): Pick<BfdStatus, 'address' | 'interface'> {
  return link === undefined ? { address } : { address, interface: link.interface };
}

function keyOf(address: Address, { interfaceIndex } = NO_LINK): string {
  const text = formatAddress(address);
  return interfaceIndex === 0 ? text : `${text}%${interfaceIndex}`;
}

function timesOf(session: BfdSession): BfdTimes {
  return {
    transmitMs: Math.round((transmitInterval(session) ?? 0) / 1000),
    detectionMs: Math.round(detectionTime(session) / 1000),
  };
}

function sameTimes(a: BfdTimes, b: BfdTimes): boolean {
  return a.transmitMs === b.transmitMs && a.detectionMs === b.detectionMs;
}

function decode(bytes: Uint8Array): ControlPacket | undefined {
  try {
    return decodeControlPacket(bytes);
  } catch (cause) {
    if (cause instanceof BfdWireError) return undefined;
    throw cause;
  }
}

/** What a session cannot change. */
function placeText({ sourceAddress, settings }: BfdTarget): string {
  const source = sourceAddress === undefined ? '' : formatAddress(sourceAddress);
  return `${source} ${settings.isMultihop}`;
}
