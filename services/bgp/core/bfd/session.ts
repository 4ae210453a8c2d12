// One BFD session: RFC 5880 section 6, asynchronous mode. Pure. We take the active role, ask for no echo and
// no demand mode, and authenticate nothing: a packet with an authentication section is discarded, as section
// 6.8.6 asks of a session without.
import { BfdState, type ControlPacket, Diagnostic } from '@calico/bfd-wire';
import { hasRestarted, nextState } from './transition.ts';
import type { BfdCause, BfdEffect, BfdEvent, BfdSettings } from './types.ts';

/** What the peer has said; before it said anything as section 6.8.1 has it. */
export type BfdRemote = {
  readonly state: BfdState;
  /** 0: unknown. */
  readonly discriminator: number;
  /** Microseconds. */
  readonly minReceive: number;
  /** Microseconds. */
  readonly minTransmit: number;
  /** 0: nothing has arrived. */
  readonly detectMultiplier: number;
  readonly isDemand: boolean;
  readonly isIndependent: boolean;
};

export type BfdSession = {
  readonly state: BfdState;
  readonly diagnostic: number;
  readonly cause: BfdCause | undefined;
  readonly discriminator: number;
  readonly remote: BfdRemote;
  /** A poll sequence runs: packets carry P until the peer answers with F. */
  readonly isPolling: boolean;
  /** What our packets announce, in microseconds. */
  readonly announced: BfdIntervals;
  /**
   * What is in force. While the session is up, a longer transmit interval and a shorter receive interval
   * come into force when the peer has confirmed them (section 6.8.3).
   */
  readonly inForce: BfdIntervals;
};

export type BfdIntervals = { readonly transmit: number; readonly receive: number };

export type BfdStep = { readonly session: BfdSession; readonly effects: readonly BfdEffect[] };

const NOTHING_HEARD: BfdRemote = {
  state: BfdState.Down,
  discriminator: 0,
  minReceive: 1,
  minTransmit: 0,
  detectMultiplier: 0,
  isDemand: false,
  isIndependent: false,
};

/** Sections 6.8.1 and 6.8.3: a session that is not up sends at most once a second. */
const SLOWEST_START = 1_000_000;

/** @param discriminator not 0, unique on this node */
export function newBfdSession(discriminator: number, settings: BfdSettings): BfdSession {
  const intervals = intervalsOf(BfdState.Down, settings);
  return {
    state: BfdState.Down,
    diagnostic: Diagnostic.None,
    cause: 'starting',
    discriminator,
    remote: NOTHING_HEARD,
    isPolling: false,
    announced: intervals,
    inForce: intervals,
  };
}

export function stepBfd(session: BfdSession, event: BfdEvent, settings: BfdSettings): BfdStep {
  switch (event.kind) {
    case 'start':
      return {
        session,
        effects: [...sendNow(session, settings), transmitTimer(session, settings)],
      };
    case 'packet':
      return heardFrom(session, event.packet, settings);
    case 'timer':
      return event.timer === 'transmit'
        ? transmitDue(session, settings)
        : expire(session, settings);
    case 'configure':
      return settle(session, announce(session, settings), settings);
    case 'stop': {
      const stopped: BfdSession = {
        ...session,
        state: BfdState.AdminDown,
        diagnostic: Diagnostic.AdministrativelyDown,
        isPolling: false,
      };
      return {
        session: stopped,
        effects: [
          ...sendNow(stopped, settings),
          { kind: 'cancel-timer', timer: 'transmit' },
          { kind: 'cancel-timer', timer: 'detect' },
        ],
      };
    }
    default:
      return event satisfies never;
  }
}

/** Microseconds between two packets of ours, without jitter; undefined: the peer wants none. */
export function transmitInterval({ state, remote, inForce }: BfdSession): number | undefined {
  if (remote.minReceive === 0) return undefined;
  const areBothUp = state === BfdState.Up && remote.state === BfdState.Up;
  // Section 6.8.7: a peer in demand mode wants none while both ends are up.
  if (remote.isDemand && areBothUp) return undefined;
  return Math.max(inForce.transmit, remote.minReceive);
}

/** Microseconds without a packet after which the peer is gone: section 6.8.4; 0 when nothing has arrived. */
export function detectionTime({ remote, inForce }: BfdSession): number {
  return remote.detectMultiplier * Math.max(inForce.receive, remote.minTransmit);
}

/** What goes on the wire now. */
export function controlPacket(session: BfdSession, settings: BfdSettings): ControlPacket {
  return {
    diagnostic: session.diagnostic,
    state: session.state,
    isPoll: session.isPolling,
    isFinal: false,
    // The sessions end with this process, which is the control plane.
    isControlPlaneIndependent: false,
    hasAuthentication: false,
    isDemand: false,
    detectMultiplier: settings.detectMultiplier,
    myDiscriminator: session.discriminator,
    yourDiscriminator: session.remote.discriminator,
    desiredMinTransmit: session.announced.transmit,
    requiredMinReceive: session.announced.receive,
    requiredMinEchoReceive: 0,
  };
}

function heardFrom(before: BfdSession, packet: ControlPacket, settings: BfdSettings): BfdStep {
  if (packet.hasAuthentication || before.state === BfdState.AdminDown) {
    return { session: before, effects: [] };
  }
  const remote: BfdRemote = {
    state: packet.state,
    discriminator: packet.myDiscriminator,
    minReceive: packet.requiredMinReceive,
    minTransmit: packet.desiredMinTransmit,
    detectMultiplier: packet.detectMultiplier,
    isDemand: packet.isDemand,
    isIndependent: packet.isControlPlaneIndependent,
  };
  const heard = { ...before, remote };
  const confirmed = packet.isFinal && before.isPolling ? endPoll(heard) : heard;
  const state = nextState(before.state, packet.state);
  const moved =
    state === before.state
      ? confirmed
      : announce({ ...confirmed, state, ...reasonFor(state, before, packet) }, settings);
  const { session, effects } = settle(before, moved, settings);
  const detect: BfdEffect = {
    kind: 'set-timer',
    timer: 'detect',
    delayMs: detectionTime(session) / 1000,
    jitter: NO_JITTER,
  };
  const answer: BfdEffect[] = packet.isPoll
    ? [
        {
          kind: 'send',
          packet: { ...controlPacket(session, settings), isPoll: false, isFinal: true },
        },
      ]
    : [];
  return { session, effects: [...answer, ...effects, detect] };
}

function reasonFor(
  state: BfdState,
  before: BfdSession,
  packet: ControlPacket,
): Pick<BfdSession, 'diagnostic' | 'cause'> {
  if (state === BfdState.Up) return { diagnostic: Diagnostic.None, cause: undefined };
  if (state === BfdState.Init) return { diagnostic: before.diagnostic, cause: before.cause };
  const diagnostic = Diagnostic.NeighborSignaledDown;
  if (packet.state === BfdState.AdminDown) return { diagnostic, cause: 'administrative' };
  return { diagnostic, cause: hasRestarted(before, packet) ? 'restarted' : 'signaled' };
}

function expire(before: BfdSession, settings: BfdSettings): BfdStep {
  // Section 6.8.1: whoever comes back may be another one.
  const silent: BfdSession = { ...before, remote: NOTHING_HEARD, isPolling: false };
  if (before.state !== BfdState.Init && before.state !== BfdState.Up) {
    return settle(before, silent, settings);
  }
  const down: BfdSession = {
    ...silent,
    // Kept: it says what became of the path.
    remote: { ...NOTHING_HEARD, isIndependent: before.remote.isIndependent },
    state: BfdState.Down,
    diagnostic: Diagnostic.DetectionTimeExpired,
    cause: before.cause === 'starting' ? 'starting' : 'expired',
  };
  return settle(before, announce(down, settings), settings);
}

function transmitDue(session: BfdSession, settings: BfdSettings): BfdStep {
  // Only a poll of ours needs an answer from a peer that wants no packets.
  const isWanted = session.isPolling || transmitInterval(session) !== undefined;
  const effects = isWanted ? sendNow(session, settings) : [];
  return { session, effects: [...effects, transmitTimer(session, settings)] };
}

/** Says what changed: at once to the peer, so that it does not wait for our next packet. */
function settle(before: BfdSession, session: BfdSession, settings: BfdSettings): BfdStep {
  const isChanged = before.state !== session.state;
  const isNews = isChanged || (session.isPolling && !before.isPolling);
  const isSooner = paceOf(session) < paceOf(before);
  return {
    session,
    effects: [
      ...(isChanged ? [{ kind: 'changed' } as const] : []),
      ...(isNews ? sendNow(session, settings) : []),
      ...(isNews || isSooner ? [transmitTimer(session, settings)] : []),
    ],
  };
}

function paceOf(session: BfdSession): number {
  return transmitInterval(session) ?? Number.POSITIVE_INFINITY;
}

/** Takes the intervals that belong to the state and the settings; up, the peer has to confirm them. */
function announce(session: BfdSession, settings: BfdSettings): BfdSession {
  const announced = intervalsOf(session.state, settings);
  const { transmit, receive } = session.announced;
  if (session.state !== BfdState.Up) {
    return { ...session, announced, inForce: announced, isPolling: false };
  }
  if (announced.transmit === transmit && announced.receive === receive) return session;
  const { inForce } = session;
  return {
    ...session,
    announced,
    isPolling: true,
    inForce: {
      transmit: Math.min(inForce.transmit, announced.transmit),
      receive: Math.max(inForce.receive, announced.receive),
    },
  };
}

function endPoll(session: BfdSession): BfdSession {
  return { ...session, isPolling: false, inForce: session.announced };
}

function intervalsOf(state: BfdState, settings: BfdSettings): BfdIntervals {
  const transmit = settings.minTransmitMs * 1000;
  return {
    transmit: state === BfdState.Up ? transmit : Math.max(transmit, SLOWEST_START),
    receive: settings.minReceiveMs * 1000,
  };
}

function sendNow(session: BfdSession, settings: BfdSettings): BfdEffect[] {
  return [{ kind: 'send', packet: controlPacket(session, settings) }];
}

const NO_JITTER = [0, 0] as const;
/** Section 6.8.7: 75 to 100 percent of the interval, and with a multiplier of 1 at most 90. */
const JITTER = [0, 0.25] as const;
const JITTER_OF_ONE = [0.1, 0.25] as const;

function transmitTimer(session: BfdSession, settings: BfdSettings): BfdEffect {
  const delayMs = (transmitInterval(session) ?? SLOWEST_START) / 1000;
  const jitter = settings.detectMultiplier === 1 ? JITTER_OF_ONE : JITTER;
  return { kind: 'set-timer', timer: 'transmit', delayMs, jitter };
}
