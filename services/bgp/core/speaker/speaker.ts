// The BGP speaker: sessions, routing tables and what follows from them. Deterministic: the same
// events at the same times give the same effects.
import {
  CeaseSubcode,
  cease,
  endOfRibOf,
  familyOf,
  type Notification,
  RefreshSubtype,
  type RouteRefresh,
  type Update,
} from '@calico/bgp-wire';
import { type Address, sameAddress } from '@calico/ip';
import { ExportPolicy, type InterfaceOf } from '../policy/export_policy.ts';
import { ImportPolicy } from '../policy/import_policy.ts';
import { asksForInterface } from '../policy/route_filter.ts';
import type { LocalPolicy } from '../policy/types.ts';
import { LocRib } from '../rib/loc_rib.ts';
import type { Path } from '../rib/path.ts';
import { type SessionEvent, stateName, stepSession } from '../session/session.ts';
import {
  DEFAULT_TIMING,
  type Negotiated,
  type SessionEffect,
  type SessionTiming,
  type Side,
} from '../session/types.ts';
import {
  FAMILIES,
  type PeerConfig,
  type SpeakerConfig,
  sessionText,
  settingsText,
} from './config.ts';
import type {
  BfdNews,
  Note,
  PeerTimer,
  SpeakerEffect,
  SpeakerEvent,
  SpeakerInput,
} from './events.ts';
import { GUEST_PATIENCE_MS, Guests } from './guests.ts';
import { applyUpdate } from './inbound.ts';
import { ageRoutes, LongLived } from './long_lived.ts';
import { nextBatch, queueEntry, queueRefresh, queueTable } from './outbound.ts';
import { OwnRoutes } from './own_routes.ts';
import { Peer } from './peer.ts';
import { judgePrefixLimit } from './prefix_limit.ts';
import { BFD_DOWN, BFD_HOLD } from './watched_path.ts';

export type SpeakerOptions = {
  /** Kernel routes of an earlier process were found: peers keep ours meanwhile (RFC 4724). */
  readonly isRestarted: boolean;
  readonly timing?: SessionTiming;
  /** Which interface a next hop is reached through, for filters; tell refreshInterfaces() when it changes. */
  readonly interfaceOf?: InterfaceOf;
  /** Is told every input before it is acted on. */
  readonly record?: (input: SpeakerInput) => void;
};

/** How long routes are kept when the peer is back but does not finish its table. */
const STALE_AFTER_RETURN_MS = 120_000;

export class Speaker {
  readonly #timing: SessionTiming;
  readonly #isRestarted: boolean;
  readonly #interfaceOf: InterfaceOf;
  readonly #record: SpeakerOptions['record'];
  readonly #peers = new Map<string, Peer>();
  readonly #rib = new LocRib();
  readonly #ownRoutes = new OwnRoutes(this.#rib);
  readonly #guests = new Guests();
  #config: SpeakerConfig | undefined;
  #policy: ExportPolicy | undefined;
  #importPolicy: ImportPolicy | undefined;
  #exportsComplete = false;
  #isRecovering: boolean;
  #effects: SpeakerEffect[] = [];

  constructor(options: SpeakerOptions) {
    this.#timing = options.timing ?? DEFAULT_TIMING;
    this.#isRestarted = options.isRestarted;
    const { interfaceOf, record } = options;
    this.#record = record;
    this.#interfaceOf = (nextHop) => {
      const name = interfaceOf?.(nextHop);
      record?.({ kind: 'interface', name });
      return name;
    };
    this.#isRecovering = options.isRestarted;
  }

  get config(): SpeakerConfig | undefined {
    return this.#config;
  }

  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  get rib(): LocRib {
    return this.#rib;
  }

  /** What the policy makes of a path for a peer; undefined before the first configuration. */
  get exportPolicy(): ExportPolicy | undefined {
    return this.#policy;
  }

  /** The peer that a connection from this address belongs to; a range may make it one now. */
  admit(address: Address, now: number, interfaceName?: string): Peer | undefined {
    this.#record?.({ kind: 'admit', address, now, interfaceName });
    for (const peer of this.#peers.values()) {
      const { config } = peer;
      const isThere = config.interface === undefined || config.interface === interfaceName;
      if (isThere && sameAddress(config.address, address)) return peer;
    }
    const config = this.#guests.admit(address, this.#config?.ranges ?? []);
    return config === undefined ? undefined : this.#addPeer(config, now);
  }

  /**
   * After a restart: whether every peer that is there has said everything. Once true it stays so,
   * and our own OPEN no longer says that we restart.
   */
  checkRecovered(now: number, isOverdue: boolean): boolean {
    if (!this.#isRecovering) return true;
    this.#record?.({ kind: 'recovered', now, isOverdue });
    const isDone = [...this.#peers.values()].every((peer) => peer.isComplete(now));
    if (isOverdue || (this.#exportsComplete && this.#config !== undefined && isDone)) {
      this.#isRecovering = false;
    }
    return !this.#isRecovering;
  }

  /** Makes the speaker what the configuration says. Only sessions that it touches are disturbed. */
  configure(config: SpeakerConfig, now: number): void {
    this.#record?.({ kind: 'configure', config, now });
    const before = this.#config;
    this.#config = config;
    const isNewPolicy =
      before === undefined || settingsText(before.local) !== settingsText(config.local);
    if (isNewPolicy) this.#makePolicies(config.local);
    this.#configurePeers(this.#guests.join(config.peers, config.ranges ?? []), now);
    this.#ownRoutes.configure(config.ownRoutes);
    if (!isNewPolicy || before === undefined) return;
    for (const peer of this.#peers.values()) this.#applyNewPolicy(peer);
  }

  /** Next hops may be reached through other interfaces now: filters that ask for them judge anew. */
  refreshInterfaces(): void {
    this.#record?.({ kind: 'refresh-interfaces' });
    for (const peer of this.#peers.values()) {
      if (asksForInterface(peer.config.policy.filters)) this.#applyNewPolicy(peer);
    }
  }

  #makePolicies(local: LocalPolicy): void {
    this.#policy = new ExportPolicy(local, this.#interfaceOf);
    this.#importPolicy = new ImportPolicy(local, this.#interfaceOf);
  }

  handle(event: SpeakerEvent, now: number): void {
    this.#record?.({ kind: 'event', event, now });
    if (event.kind === 'exports-complete') {
      this.#exportsComplete = true;
      return;
    }
    const peer = this.#peers.get(event.peer);
    if (peer === undefined) return;
    switch (event.kind) {
      case 'session':
        return this.#stepSession(peer, event.event, now);
      case 'peer-timer':
        if (event.timer === 'idle-hold') this.#stepSession(peer, { kind: 'rested' }, now);
        else if (event.timer === 'stale') this.#staleTimeOver(peer);
        else this.#reviewGuest(peer, now);
        return;
      case 'bfd':
        return this.#pathNews(peer, event.news, now);
      case 'writable':
        if (peer.live !== undefined) peer.live.isWaiting = false;
        return;
      default:
        event satisfies never;
    }
  }

  /** Decides, tells the peers, and answers everything that is to be done, in order. */
  flush(): SpeakerEffect[] {
    this.#record?.({ kind: 'flush' });
    const changed = this.#rib.settle();
    const policy = this.#policy;
    if (changed.length > 0) {
      this.#effects.push({ kind: 'routes', prefixes: changed.map(({ prefix }) => prefix) });
    }
    for (const peer of this.#peers.values()) {
      if (policy !== undefined && peer.live !== undefined) {
        for (const entry of changed) queueEntry(peer, entry, policy);
      }
      // A reflector's table is complete only when its own peers' are.
      const isReflector = this.#config?.local.clusterId !== undefined;
      const mayEndRib = this.#exportsComplete && !(isReflector && this.#isRecovering);
      const batch = nextBatch(peer, mayEndRib);
      if (batch !== undefined) this.#effects.push(batch);
    }
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #configurePeers(wanted: ReadonlyMap<string, PeerConfig>, now: number): void {
    for (const [key, peer] of this.#peers) if (!wanted.has(key)) this.#removePeer(peer, now);
    for (const [key, config] of wanted) {
      const peer = this.#peers.get(key);
      if (peer === undefined) this.#addPeer(config, now);
      else this.#reconfigure(peer, config, now);
    }
  }

  #addPeer(config: PeerConfig, now: number): Peer {
    const { key } = config;
    const peer = new Peer(config, now);
    this.#peers.set(key, peer);
    this.#startOrHold(peer, now);
    if (this.#guests.has(key)) this.#setTimer(peer, 'guest', GUEST_PATIENCE_MS);
    return peer;
  }

  #removePeer(peer: Peer, now: number): void {
    const { key } = peer.config;
    this.#stop(peer, cease(CeaseSubcode.PeerDeconfigured), now);
    this.#peers.delete(key);
    this.#guests.dismiss(key);
    this.#effects.push({ kind: 'forget', peer: key });
  }

  #reviewGuest(peer: Peer, now: number): void {
    if (!this.#guests.has(peer.config.key)) return;
    const isThere = stateName(peer.session) !== 'Active' && peer.session.phase === 'running';
    if (isThere || peer.received.staleCount > 0) this.#setTimer(peer, 'guest', GUEST_PATIENCE_MS);
    else this.#removePeer(peer, now);
  }

  #reconfigure(peer: Peer, config: PeerConfig, now: number): void {
    const before = peer.config;
    peer.config = config;
    if (sessionText(before) !== sessionText(config)) {
      const notification = cease(CeaseSubcode.OtherConfigurationChange);
      this.#stop(peer, notification, now);
    } else if (settingsText(before.policy) !== settingsText(config.policy)) {
      this.#applyNewPolicy(peer);
    }
    this.#startOrHold(peer, now);
  }

  #pathNews(peer: Peer, news: BfdNews, now: number): void {
    if (peer.path.hasFailed(news)) {
      if (peer.live !== undefined) this.#stepSession(peer, BFD_DOWN, now);
      // RFC 5882 section 4.3.2: it does not restart, what it announced is out of reach.
      else if (news.isRemoteIndependent) this.#sweep(peer);
    }
    this.#startOrHold(peer, now);
  }

  #startOrHold(peer: Peer, now: number): void {
    if (!peer.isHeld) this.#stepSession(peer, { kind: 'start' }, now);
    else if (peer.session.phase !== 'stopped') this.#stepSession(peer, BFD_HOLD, now);
  }

  #stop(peer: Peer, notification: Notification, now: number): void {
    this.#stepSession(peer, { kind: 'stop', notification }, now);
    this.#withdraw(peer.received.retainOnly([]));
    this.#cancelStale(peer);
  }

  /** Judges the peer's routes anew, and tells it what changes for it. */
  #applyNewPolicy(peer: Peer): void {
    const { live, received, config } = peer;
    const imports = this.#importPolicy;
    if (this.#policy === undefined || imports === undefined) return;
    if (live !== undefined) {
      const isClient = config.policy.isReflectorClient;
      if (live.source.isClient !== isClient) live.source = { ...live.source, isClient };
    }
    const { changed, removed } = received.reconsider(
      (prefix, data) => imports.import(prefix, data, peer.policy),
      live?.source,
    );
    this.#withdraw(removed);
    for (const path of changed) this.#rib.put(path);
    if (live !== undefined) queueTable(peer, this.#rib, this.#policy);
  }

  #stepSession(peer: Peer, event: SessionEvent, now: number): void {
    const restart = {
      isRestarting: this.#isRecovering,
      isForwardingPreserved: this.#isRestarted,
    };
    const config = peer.sessionConfig(restart, this.#timing);
    const { session, effects } = stepSession(peer.session, event, config, now);
    peer.session = session;
    for (const effect of effects) this.#sessionEffect(peer, effect);
    const excess = judgePrefixLimit(peer);
    if (excess === undefined) return;
    this.#note(excess.note);
    if (excess.event !== undefined) this.#stepSession(peer, excess.event, now);
  }

  #sessionEffect(peer: Peer, effect: SessionEffect): void {
    const { key } = peer.config;
    switch (effect.kind) {
      case 'up':
        return this.#up(peer, effect.side, effect.negotiated);
      case 'down':
        return this.#down(peer, effect.negotiated, effect.isGraceful, effect.reason);
      case 'update':
        return this.#update(peer, effect.update);
      case 'refresh':
        return this.#refresh(peer, effect.refresh);
      case 'set-idle-hold':
        return this.#setTimer(peer, 'idle-hold', effect.delayMs);
      case 'cancel-idle-hold':
        this.#effects.push({ kind: 'cancel-timer', peer: key, timer: 'idle-hold' });
        return;
      case 'dial':
      case 'close':
      case 'send':
      case 'set-timer':
      case 'cancel-timer':
      case 'read-as':
      case 'adopt':
      case 'refuse':
        this.#effects.push({ kind: 'connection', peer: key, work: effect });
        return;
      default:
        effect satisfies never;
    }
  }

  #up(peer: Peer, side: Side, negotiated: Negotiated): void {
    const { config, received } = peer;
    peer.begin(side, negotiated);
    this.#note({ kind: 'up', peer: config.key });
    // RFC 4724 section 4.2: what the peer does not say it kept forwarding is dropped at once.
    const kept = negotiated.gracefulRestart?.forwarding ?? [];
    this.#withdraw(received.retainOnly(kept));
    if (received.staleCount > 0) this.#awaitReturn(peer, STALE_AFTER_RETURN_MS);
    else this.#cancelStale(peer);
    if (this.#policy !== undefined) queueTable(peer, this.#rib, this.#policy);
  }

  #down(peer: Peer, negotiated: Negotiated, isGraceful: boolean, reason: string): void {
    const { received, advertised, config } = peer;
    advertised.clear();
    peer.live = undefined;
    this.#note({ kind: 'down', peer: config.key, reason, isGraceful });
    const restart = isGraceful ? negotiated.gracefulRestart : undefined;
    const families = restart?.families ?? [];
    peer.longLived = new LongLived(restart?.longLived);
    this.#withdraw(received.retainOnly(families));
    // A second loss before the peer finished its table does not prolong the wait.
    const isAwaitedAlready = received.staleCount > 0 && peer.isAwaited;
    received.markStale(families);
    if (received.staleCount === 0) this.#cancelStale(peer);
    else if (restart !== undefined && !isAwaitedAlready) {
      this.#awaitReturn(peer, restart.restartTimeSeconds * 1000);
    }
  }

  #update(peer: Peer, update: Update): void {
    const { live, config } = peer;
    const imports = this.#importPolicy;
    if (live === undefined || imports === undefined) return;
    for (const { message } of update.problems) {
      this.#note({ kind: 'malformed', peer: config.key, problem: message });
    }
    const ended = endOfRibOf(update);
    if (ended === undefined) return applyUpdate(peer, live, update, imports, this.#rib);
    if (!live.negotiated.families.includes(ended)) return;
    live.complete.add(ended);
    this.#note({ kind: 'end-of-rib', peer: config.key, family: ended });
    this.#swept(peer, peer.received.sweep([ended]));
  }

  #refresh(peer: Peer, { afi, safi, subtype }: RouteRefresh): void {
    const { live } = peer;
    const family = familyOf(afi, safi);
    if (live === undefined || family === undefined) return;
    if (!live.negotiated.families.includes(family)) return;
    if (subtype === RefreshSubtype.Request) {
      queueRefresh(peer, live, family);
    } else if (subtype === RefreshSubtype.Begin) {
      peer.received.markStale([family]);
    } else if (subtype === RefreshSubtype.End) {
      this.#swept(peer, peer.received.sweep([family]));
    }
  }

  /** Unless routes may stay long, as a last resort, this is their end. */
  #staleTimeOver(peer: Peer): void {
    const { longLived, received, live } = peer;
    const { families } = longLived;
    if (families.length === 0 || live !== undefined) return this.#sweep(peer);
    peer.isAwaited = false;
    if (longLived.isNew && this.#importPolicy !== undefined) {
      ageRoutes(peer, families, this.#importPolicy, this.#rib);
    }
    const others = FAMILIES.filter((family) => !families.includes(family));
    this.#swept(peer, received.sweep(others));
    if (received.staleCount > 0) this.#awaitReturn(peer, longLived.advance());
  }

  #sweep(peer: Peer): void {
    peer.isAwaited = false;
    this.#swept(peer, peer.received.sweep([4, 6]));
  }

  #swept(peer: Peer, removed: readonly Path[]): void {
    if (peer.received.staleCount === 0) this.#cancelStale(peer);
    if (removed.length === 0) return;
    this.#withdraw(removed);
    this.#note({ kind: 'swept', peer: peer.config.key, routes: removed.length });
  }

  #withdraw(paths: readonly Path[]): void {
    for (const { prefix, source } of paths) this.#rib.remove(prefix, source);
  }

  #awaitReturn(peer: Peer, delayMs: number): void {
    peer.isAwaited = true;
    this.#setTimer(peer, 'stale', delayMs);
  }

  #setTimer(peer: Peer, timer: PeerTimer, delayMs: number): void {
    this.#effects.push({ kind: 'set-timer', peer: peer.config.key, timer, delayMs });
  }

  #cancelStale(peer: Peer): void {
    if (!peer.isAwaited) return;
    peer.isAwaited = false;
    this.#effects.push({ kind: 'cancel-timer', peer: peer.config.key, timer: 'stale' });
  }

  #note(note: Note): void {
    this.#effects.push({ kind: 'note', note });
  }
}
