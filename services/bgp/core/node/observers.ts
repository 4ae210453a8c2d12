// Who follows what the sessions say: a BMP collector, the recording of sessions, and who counts messages.
import type { Clock } from '@calico/clock';
import type { CollectorPort, RecordingPort } from '../../ports.ts';
import { BmpMonitor } from '../bmp/monitor.ts';
import type { Derived } from '../cluster/derive_speaker.ts';
import type { SessionMessage } from '../host/session_message.ts';
import { SessionRecording } from '../mrt/session_recording.ts';
import { settingsText } from '../speaker/config.ts';
import type { Note } from '../speaker/events.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { MessageCounter } from './message_counts.ts';

export type ObserversOptions = {
  readonly speaker: Speaker;
  readonly clock: Clock;
  /** Name of this node. */
  readonly node: string;
  readonly collector: CollectorPort | undefined;
  readonly recording: RecordingPort | undefined;
};

export class Observers {
  readonly counter: MessageCounter;
  readonly #collector: CollectorPort | undefined;
  readonly #monitor: BmpMonitor;
  readonly #recording: SessionRecording;
  /** The settings of BMP that hold, as text. */
  #monitoredFor = 'null';

  constructor({ speaker, clock, node, collector, recording }: ObserversOptions) {
    this.#collector = collector;
    this.counter = new MessageCounter(speaker.peers);
    const onWork = (): void => collector?.wake();
    this.#monitor = new BmpMonitor({ speaker, clock, node, onWork });
    this.#recording = new SessionRecording({ speaker, clock, port: recording });
  }

  configure({ bmp, recording }: Pick<Derived, 'bmp' | 'recording'>): void {
    this.#recording.configure(recording);
    const text = settingsText(bmp ?? null);
    if (text === this.#monitoredFor) return;
    this.#monitoredFor = text;
    this.#monitor.configure(bmp);
    this.#collector?.configure(bmp, this.#monitor);
  }

  noted(note: Note): void {
    this.#monitor.noted(note);
    this.#recording.noted(note);
  }

  /** A message that is no UPDATE. */
  told(message: SessionMessage): void {
    this.counter.told(message);
    this.#monitor.observe(message);
    this.#recording.told(message);
  }

  /** What an established session sends, pieces of whole messages. */
  sent(peer: string, pieces: readonly Uint8Array[]): void {
    this.counter.sent(peer, pieces);
    this.#recording.sent(peer, pieces);
  }

  /** Bodies of UPDATEs that the peer has sent. */
  updates(peer: string, bodies: readonly Uint8Array[]): void {
    this.counter.updates(peer, bodies.length);
    this.#monitor.updates(peer, bodies);
    this.#recording.updates(peer, bodies);
  }

  /** Best paths have changed: numbers of the routing table. */
  routes(prefixes: readonly number[]): void {
    this.#monitor.routes(prefixes);
  }

  maintain(): void {
    this.#monitor.maintain();
  }
}
