// What peers say and when their sessions come and go, as MRT records (RFC 6396 section 4.4).
//
//   Host --messages, notes--> SessionRecording --records--> adapter --> file
import {
  DEFAULT_CONTEXT,
  encodeFrame,
  encodeMrt,
  MessageType,
  type MrtEnds,
  type MrtRecord,
  MrtState,
  type WireContext,
} from '@calico/bgp-wire';
import type { Clock } from '@calico/clock';
import type { RecordingPort } from '../../ports.ts';
import type { SessionMessage } from '../host/session_message.ts';
import type { Note } from '../speaker/events.ts';
import type { Peer } from '../speaker/peer.ts';
import type { Speaker } from '../speaker/speaker.ts';

export type RecordingSettings = {
  /** Keys of peers; undefined: all. */
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
  /** How messages of established sessions are to be read: also the one that ends its session. */
  readonly #contexts = new Map<string, WireContext>();

  constructor(options: SessionRecordingOptions) {
    this.#options = options;
  }

  /** Undefined: nothing is recorded. */
  configure(settings: RecordingSettings | undefined): void {
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return;
    this.#settings = settings;
    this.#options.port?.configure(settings?.maxBytes);
  }

  /** A message that the peer has sent and that is no UPDATE. */
  received(message: SessionMessage): void {
    const peer = this.#recorded(message.peer);
    if (peer !== undefined) this.#write([this.#message(peer, message.bytes)]);
  }

  /** Bodies of UPDATEs that the peer has sent. */
  updates(key: string, bodies: readonly Uint8Array[]): void {
    const peer = this.#recorded(key);
    if (peer === undefined) return;
    this.#write(
      bodies.map((body) => this.#message(peer, encodeFrame(MessageType.Update, body, true))),
    );
  }

  noted(note: Note): void {
    if (note.kind === 'up') {
      const live = this.#options.speaker.peers.get(note.peer)?.live;
      if (live !== undefined) this.#contexts.set(note.peer, live.negotiated.context);
      const peer = this.#recorded(note.peer);
      if (peer === undefined) return;
      const ends = this.#ends(peer);
      this.#established.set(note.peer, ends);
      this.#changed(ends, MrtState.OpenConfirm, MrtState.Established);
    } else if (note.kind === 'down') {
      const ends = this.#established.get(note.peer);
      this.#established.delete(note.peer);
      this.#contexts.delete(note.peer);
      if (ends !== undefined) this.#changed(ends, MrtState.Established, MrtState.Idle);
    }
  }

  #changed(ends: MrtEnds, from: number, to: number): void {
    this.#write([{ kind: 'state-change', timestamp: this.#timestamp, ...ends, from, to }]);
  }

  #recorded(key: string): Peer | undefined {
    const settings = this.#settings;
    if (settings === undefined || settings.peers?.includes(key) === false) return undefined;
    return this.#options.speaker.peers.get(key);
  }

  #message(peer: Peer, message: Uint8Array): MrtRecord {
    const established = this.#contexts.get(peer.config.key);
    const context = established ?? peer.live?.negotiated.context ?? DEFAULT_CONTEXT;
    return {
      kind: 'message',
      timestamp: this.#timestamp,
      ...this.#ends(peer),
      ...(context.fourOctetAs ? {} : { hasTwoOctetAs: true }),
      ...(context.addPath.length === 0 ? {} : { hasPathIds: true }),
      message,
    };
  }

  #ends({ config }: Peer): MrtEnds {
    const { address, session, sourceAddress } = config;
    const { family } = address;
    const own = this.#options.speaker.config?.local.address[family];
    return {
      peerAsn: session.remoteAsn,
      localAsn: session.localAsn,
      interfaceIndex: 0,
      family,
      peerAddress: address,
      localAddress: sourceAddress ?? own ?? { family, value: 0n },
    };
  }

  get #timestamp(): number {
    return Math.floor(this.#options.clock.now() / 1000);
  }

  #write(records: readonly MrtRecord[]): void {
    this.#options.port?.write(records.map((record) => encodeMrt(record)));
  }
}
