// What peers say and are told, and when their sessions come and go, as MRT records (RFC 6396 section 4.4).
//
//   Host --messages, notes--> SessionRecording --records--> adapter --> file
import {
  DEFAULT_CONTEXT,
  decodeMessage,
  encodeFrame,
  encodeMrt,
  HEADER_LENGTH,
  MessageFramer,
  MessageType,
  type MrtEnds,
  type MrtRecord,
  MrtState,
  ProtocolError,
  type Span,
  UpdateFields,
} from '@calico/bgp-wire';
import type { Clock } from '@calico/clock';
import type { Family } from '@calico/ip';
import type { RecordingPort } from '../../ports.ts';
import { BGP_PORT, peerKey } from '../cluster/peer_key.ts';
import type { SessionMessage } from '../host/session_message.ts';
import type { Negotiated } from '../session/types.ts';
import type { Note } from '../speaker/events.ts';
import { localAddressOf, type Peer } from '../speaker/peer.ts';
import type { Speaker } from '../speaker/speaker.ts';

export type RecordingSettings = {
  /** Keys of peers, those without a port whatever port they have; undefined: all. */
  readonly peers: readonly string[] | undefined;
  /** Of the file; the one before it is kept as well. */
  readonly maxBytes: number;
};

export type SessionRecordingOptions = {
  readonly speaker: Speaker;
  readonly clock: Clock;
  readonly port: RecordingPort | undefined;
};

export class SessionRecording {
  readonly #options: SessionRecordingOptions;
  #settings: RecordingSettings | undefined;
  /** A session's end is told when its peer may be gone from the configuration. */
  readonly #established = new Map<string, MrtEnds>();
  /** What established sessions have agreed on: also their last messages are to be read by it. */
  readonly #agreed = new Map<string, Negotiated>();
  /** Our AS number in the last OPEN to a peer, which may know us by one of two. */
  readonly #said = new WeakMap<Peer, number>();
  /** The peer's in its last OPEN, where any will do. */
  readonly #heard = new WeakMap<Peer, number>();

  constructor(options: SessionRecordingOptions) {
    this.#options = options;
  }

  /** Undefined: nothing is recorded. */
  configure(settings: RecordingSettings | undefined): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.#options.port?.configure(settings?.maxBytes);
  }

  /** A message that is no UPDATE, of either end. */
  told({ peer: key, direction, kind, bytes }: SessionMessage): void {
    const peer = this.#recorded(key);
    if (peer === undefined) return;
    if (kind === 'open') {
      if (direction === 'sent') this.#said.set(peer, spokenAsn(peer));
      else this.#heard.set(peer, asnIn(bytes) ?? peer.remoteAsn);
    }
    this.#write([this.#message(peer, bytes, direction)]);
  }

  /** What an established session sends, pieces of whole messages. */
  sent(key: string, pieces: readonly Uint8Array[]): void {
    const peer = this.#recorded(key);
    if (peer === undefined) return;
    const framer = new MessageFramer();
    framer.allowExtendedMessages();
    const records: MrtRecord[] = [];
    for (const piece of pieces) {
      framer.push(piece);
      for (let next = framer.next(); next !== undefined; next = framer.next()) {
        records.push(this.#message(peer, encodeFrame(next.type, next.body, true), 'sent'));
      }
    }
    this.#write(records);
  }

  /** Bodies of UPDATEs that the peer has sent. */
  updates(key: string, bodies: readonly Uint8Array[]): void {
    const peer = this.#recorded(key);
    if (peer === undefined) return;
    this.#write(
      bodies.map((body) =>
        this.#message(peer, encodeFrame(MessageType.Update, body, true), 'received'),
      ),
    );
  }

  noted(note: Note): void {
    if (note.kind === 'up') {
      const live = this.#options.speaker.peers.get(note.peer)?.live;
      if (live !== undefined) this.#agreed.set(note.peer, live.negotiated);
      const peer = this.#recorded(note.peer);
      if (peer === undefined) return;
      const ends = this.#ends(peer);
      this.#established.set(note.peer, ends);
      this.#changed(ends, MrtState.OpenConfirm, MrtState.Established);
    } else if (note.kind === 'down') {
      const ends = this.#established.get(note.peer);
      this.#established.delete(note.peer);
      this.#agreed.delete(note.peer);
      if (ends !== undefined) this.#changed(ends, MrtState.Established, MrtState.Idle);
    }
  }

  #changed(ends: MrtEnds, from: number, to: number): void {
    this.#write([{ kind: 'state-change', timestamp: this.#timestamp, ...ends, from, to }]);
  }

  #recorded(key: string): Peer | undefined {
    const peers = this.#settings?.peers;
    const peer = this.#options.speaker.peers.get(key);
    if (this.#settings === undefined || peer === undefined) return undefined;
    const { address, interface: onLink } = peer.config;
    const isMeant =
      peers === undefined ||
      [key, peerKey(address, BGP_PORT, onLink)].some((k) => peers.includes(k));
    return isMeant ? peer : undefined;
  }

  #message(peer: Peer, message: Uint8Array, direction: SessionMessage['direction']): MrtRecord {
    const agreed = this.#agreed.get(peer.config.key) ?? peer.live?.negotiated;
    const way = direction === 'sent' ? agreed?.sendContext : agreed?.context;
    const context = way ?? DEFAULT_CONTEXT;
    return {
      kind: 'message',
      timestamp: this.#timestamp,
      ...this.#ends(peer),
      ...(direction === 'sent' ? { isLocal: true } : {}),
      ...(context.fourOctetAs ? {} : { hasTwoOctetAs: true }),
      ...(hasPathIds(message, context.addPath) ? { hasPathIds: true } : {}),
      message,
    };
  }

  #ends(peer: Peer): MrtEnds {
    const { config, policy, live } = peer;
    const { address } = config;
    const { family } = address;
    const local = this.#options.speaker.config?.local;
    const localAddress = local && localAddressOf(peer, local);
    return {
      peerAsn: this.#peerAsn(peer),
      localAsn: live ? policy.localAsn : (this.#said.get(peer) ?? spokenAsn(peer)),
      interfaceIndex: 0,
      family,
      peerAddress: address,
      localAddress: localAddress ?? { family, value: 0n },
    };
  }

  #peerAsn(peer: Peer): number {
    const isNamed = typeof peer.config.session.remoteAsn === 'number';
    return isNamed || peer.live ? peer.remoteAsn : (this.#heard.get(peer) ?? peer.remoteAsn);
  }

  get #timestamp(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }

  #write(records: readonly MrtRecord[]): void {
    this.#options.port?.write(records.map((record) => encodeMrt(record)));
  }
}

/** What the peer is tried with. */
function spokenAsn({ config, session }: Peer): number {
  const { localAsn, dualAsn } = config.session;
  return session.usesDualAsn && dualAsn !== undefined ? dualAsn : localAsn;
}

/** The AS number that an OPEN says; undefined: it cannot be read. */
function asnIn(bytes: Uint8Array): number | undefined {
  try {
    const body = bytes.subarray(HEADER_LENGTH);
    const message = decodeMessage({ type: MessageType.Open, body }, DEFAULT_CONTEXT);
    return message.kind === 'open' ? message.asn : undefined;
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    return undefined;
  }
}

/** Whether prefixes in the message have identifiers: the families of a session need not all have them. */
function hasPathIds(message: Uint8Array, identified: readonly Family[]): boolean {
  if (identified.length === 0 || message[HEADER_LENGTH - 1] !== MessageType.Update) return false;
  try {
    const fields = new UpdateFields(message.subarray(HEADER_LENGTH));
    const { withdrawn, announced, reach, unreach } = fields;
    const isOld = !isEmpty(withdrawn) || !isEmpty(announced);
    const families = [reach, unreach].flatMap((each) =>
      each === undefined || isEmpty(each.nlri) ? [] : each.family,
    );
    return identified.some((family) => families.includes(family) || (family === 4 && isOld));
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    // Nobody can tell of one that cannot be read.
    return true;
  }
}

function isEmpty({ start, end }: Span): boolean {
  return start === end;
}
