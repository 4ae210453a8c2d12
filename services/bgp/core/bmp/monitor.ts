// What a monitoring station (BMP collector) is told: RFC 7854, and of the Loc-RIB RFC 9069.
//
//   Host --messages, notes, routes--> BmpMonitor --onWork------------> adapter
//                                         <--connected(), take()-- adapter --tcp--> collector
import { type BmpMessage, type BmpPeer, encodeBmp, joinBytes } from '@calico/bgp-wire';
import type { Clock } from '@calico/clock';
import type { CollectorSource } from '../../ports.ts';
import type { SessionMessage } from '../host/session_message.ts';
import type { Note } from '../speaker/events.ts';
import type { Peer } from '../speaker/peer.ts';
import type { Speaker } from '../speaker/speaker.ts';
import { locRibFeed, locRibHeader, locRibStatistics, locRibUp } from './local_rib.ts';
import { MonitoredPeer } from './monitored_peer.ts';
import { SessionLog } from './session_log.ts';
import type { BmpSettings } from './settings.ts';
import type { TableFeed } from './table_feed.ts';

export type BmpMonitorOptions = {
  readonly speaker: Speaker;
  readonly clock: Clock;
  /** Name of this node. */
  readonly node: string;
  /** There is something to take(). */
  readonly onWork: () => void;
};

const DESCRIPTION = 'Calico BGP speaker';
/** A collector that leaves so many events untaken is told everything anew when it is back. */
const MAX_WAITING = 10_000;

export class BmpMonitor implements CollectorSource {
  readonly #options: BmpMonitorOptions;
  readonly #log = new SessionLog();
  readonly #peers = new Map<string, MonitoredPeer>();
  #settings: BmpSettings | undefined;
  #locRib: TableFeed | undefined;
  /** What happened, in order; told before the routes that follow from it. */
  #waiting: Uint8Array[] = [];
  #isConnected = false;
  #reportedAt = 0;

  constructor(options: BmpMonitorOptions) {
    this.#options = options;
  }

  /** Takes effect with the next connection. */
  configure(settings: BmpSettings | undefined): void {
    this.#settings = settings;
  }

  /** A collector listens: it is told who it talks to, which sessions there are, then all routes. */
  connected(): void {
    const { speaker, clock, node } = this.#options;
    const local = speaker.config?.local;
    const settings = this.#settings;
    this.disconnected();
    if (settings === undefined || local === undefined) return;
    this.#isConnected = true;
    this.#reportedAt = clock.now();
    this.#say({ kind: 'initiation', name: node, description: DESCRIPTION });
    if (settings.locRib) {
      this.#say(locRibUp(local, clock.now()));
      this.#locRib = locRibFeed(speaker.rib);
    }
    for (const peer of speaker.peers.values()) this.#up(peer);
  }

  /** Nothing is remembered for a collector that is away. */
  disconnected(): void {
    this.#isConnected = false;
    this.#locRib = undefined;
    this.#peers.clear();
    this.#waiting = [];
  }

  /** False after the collector has fallen so far behind that it has to be told everything anew. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** A message of a session that is no UPDATE. */
  observe(message: SessionMessage): void {
    // The last words to one that is removed follow its removal.
    const monitored = this.#peers.get(message.peer)?.peer;
    const peer = monitored ?? this.#options.speaker.peers.get(message.peer);
    if (peer !== undefined) this.#log.observe(peer, message);
  }

  /** Bodies of UPDATEs that the peer has sent. */
  updates(peer: string, bodies: readonly Uint8Array[]): void {
    const monitored = this.#peers.get(peer);
    if (monitored === undefined) return;
    for (const body of bodies) monitored.updated(body);
    this.#options.onWork();
  }

  noted(note: Note): void {
    if (!this.#isConnected) return;
    const { speaker } = this.#options;
    if (note.kind === 'up') {
      const peer = speaker.peers.get(note.peer);
      if (peer !== undefined) this.#up(peer);
    } else if (note.kind === 'down') {
      this.#down(note.peer, note.isDropped === true);
    } else if (note.kind === 'swept' || note.kind === 'rejudged') {
      this.#peers.get(note.peer)?.reconsidered();
    }
    this.#options.onWork();
  }

  /** Best paths have changed: numbers of the routing table. */
  routes(prefixes: readonly number[]): void {
    if (this.#locRib === undefined) return;
    const table = this.#options.speaker.rib.prefixes;
    for (const prefix of prefixes) this.#locRib.touch(table.prefixOf(prefix));
    this.#options.onWork();
  }

  /** Reports statistics when it is time. */
  maintain(): void {
    const { speaker, clock } = this.#options;
    const now = clock.now();
    const every = this.#settings?.statisticsMs;
    if (!this.#isConnected || every === undefined || now - this.#reportedAt < every) return;
    this.#reportedAt = now;
    for (const peer of this.#peers.values()) this.#say(peer.statistics(now));
    const local = speaker.config?.local;
    if (this.#locRib !== undefined && local !== undefined) {
      this.#say(locRibStatistics(local, speaker.rib, now));
    }
    this.#options.onWork();
  }

  /** The next bytes for the collector; undefined when it knows everything. */
  take(): Uint8Array | undefined {
    if (this.#waiting.length > 0) return joinBytes(this.#waiting.splice(0));
    const now = this.#options.clock.now();
    for (const peer of this.#peers.values()) {
      for (const [table, feed] of peer.feeds) {
        if (feed.hasWork) return monitoring(peer.header(table, now), feed.take());
      }
    }
    const local = this.#options.speaker.config?.local;
    if (local === undefined || !this.#locRib?.hasWork) return undefined;
    return monitoring(locRibHeader(local, now), this.#locRib.take());
  }

  /** The last words to a collector. */
  farewell(): Uint8Array {
    return encodeBmp({ kind: 'termination', text: 'the speaker stops' });
  }

  #up(peer: Peer): void {
    const { live, config } = peer;
    const settings = this.#settings;
    const { speaker, clock } = this.#options;
    const local = speaker.config;
    if (live === undefined || settings === undefined || local === undefined) return;
    const monitored = new MonitoredPeer(peer, live, settings);
    const message = monitored.up(this.#log, local, clock.now());
    if (message === undefined) return;
    this.#say(message);
    this.#peers.set(config.key, monitored);
  }

  #down(key: string, isDropped: boolean): void {
    const monitored = this.#peers.get(key);
    if (monitored === undefined) return;
    this.#peers.delete(key);
    this.#say(monitored.down(this.#log, isDropped, this.#options.clock.now()));
  }

  #say(message: BmpMessage): void {
    this.#waiting.push(encodeBmp(message));
    if (this.#waiting.length > MAX_WAITING) this.disconnected();
  }
}

function monitoring(peer: BmpPeer, updates: readonly Uint8Array[]): Uint8Array {
  return joinBytes(updates.map((update) => encodeBmp({ kind: 'route-monitoring', peer, update })));
}
