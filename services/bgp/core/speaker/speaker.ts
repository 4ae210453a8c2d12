// The BGP speaker: sessions, routing tables and what follows from them. Deterministic: the same
// events at the same times give the same effects.
import {
  CeaseSubcode,
  cease,
  encodeMessage,
  HEADER_LENGTH,
  KEEPALIVE,
  type Notification,
  ProtocolError,
} from '@calico/bgp-wire';
import { type Address, sameAddress } from '@calico/ip';
import type { ExportPolicy, InterfaceOf } from '../policy/export_policy.ts';
import { asksForInterface } from '../policy/route_filter.ts';
import { LocRib } from '../rib/loc_rib.ts';
import { faultOf, stepOrEnd } from '../session/fault.ts';
import { type SessionEvent, stateName } from '../session/session.ts';
import {
  DEFAULT_TIMING,
  type SessionEffect,
  type SessionTiming,
  type Side,
} from '../session/types.ts';
import { Aggregates } from './aggregates.ts';
import { Completion } from './completeness.ts';
import { changesOf, type PeerConfig, type SpeakerConfig, settingsText } from './config.ts';
import { type Coverage, coverageOf } from './coverage.ts';
import type {
  BfdNews,
  Note,
  PeerTimer,
  SpeakerEffect,
  SpeakerEvent,
  SpeakerInput,
} from './events.ts';
import { GUEST_PATIENCE_MS, Guests } from './guests.ts';
import { InjectedRoutes } from './injected_routes.ts';
import { countMalformed, countReset } from './malformed_updates.ts';
import { refreshAll } from './outbound.ts';
import { Outbox } from './outbox.ts';
import { OwnRoutes } from './own_routes.ts';
import { Peer } from './peer.ts';
import { Policies } from './policies.ts';
import { isTooMuch, judgePrefixLimit } from './prefix_limit.ts';
import { RouteNews } from './route_news.ts';
import { ServiceRoutes } from './service_routes.ts';
import { StaleRoutes } from './stale_routes.ts';
import { UpdateGroups } from './update_groups.ts';
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

/** Prefixes that one flush() decides on unless told otherwise, and judges for up to so many update groups. */
const SLICE = 2_048;
const GROUPS_PER_SLICE = 8;
/** Rows of a table that are copied in the time that it takes to decide on a prefix. */
const ROWS = 16;

type UpEffect = Extract<SessionEffect, { readonly kind: 'up' }>;
type DownEffect = Extract<SessionEffect, { readonly kind: 'down' }>;

export class Speaker {
  readonly #timing: SessionTiming;
  readonly #isRestarted: boolean;
  readonly #policies: Policies;
  readonly #record: SpeakerOptions['record'];
  readonly #peers = new Map<string, Peer>();
  readonly #rib = new LocRib();
  readonly #ownRoutes = new OwnRoutes(this.#rib);
  readonly injected = new InjectedRoutes(this.#rib);
  readonly #services = new ServiceRoutes(this.#rib);
  readonly #groups = new UpdateGroups(this.#rib, this.#peers);
  readonly #guests = new Guests();
  readonly #routeNews = new RouteNews();
  readonly #aggregates = new Aggregates(this.#rib);
  #config: SpeakerConfig | undefined;
  readonly #outbox = new Outbox();
  readonly #completion: Completion;
  readonly #effects: SpeakerEffect[] = [];
  readonly #stale = new StaleRoutes((effect) => this.#effects.push(effect));

  constructor(options: SpeakerOptions) {
    this.#timing = options.timing ?? DEFAULT_TIMING;
    this.#isRestarted = options.isRestarted;
    const { interfaceOf, record } = options;
    this.#record = record;
    this.#policies = new Policies(this.#rib, this.#groups, (nextHop) => {
      const name = interfaceOf?.(nextHop);
      record?.({ kind: 'interface', name });
      return name;
    });
    this.#completion = new Completion(options.isRestarted);
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
    return this.#policies.exports;
  }

  /** The peer that a connection from this address belongs to; a range may make it one now. */
  admit(address: Address, now: number, interfaceName?: string): Peer | undefined {
    this.#record?.({ kind: 'admit', address, now, interfaceName });
    for (const peer of this.#peers.values()) {
      const { config } = peer;
      const isThere = interfaceName === undefined || interfaceName === config.interface;
      if (isThere && sameAddress(config.address, address)) return peer;
    }
    const config = this.#guests.admit(address, this.#config ?? {});
    return config === undefined ? undefined : this.#addPeer(config, now);
  }

  /**
   * After a restart: whether every peer that is there has said everything. Once true it stays so,
   * and our own OPEN no longer says that we restart. Then flush(): End-of-RIB may be due.
   */
  checkRecovered(now: number, isOverdue: boolean): boolean {
    if (!this.#completion.isRecovering) return true;
    this.#record?.({ kind: 'recovered', now, isOverdue });
    this.#completion.review(this, now, isOverdue);
    return !this.#completion.isRecovering;
  }

  /**
   * What would be lost with each of these peers, by key.
   * @param parting keys; routes of none of them count as another way
   */
  coverageOf(parting: readonly string[]): ReadonlyMap<string, Coverage> {
    return coverageOf(
      this.#rib,
      parting.flatMap((key) => this.#peers.get(key) ?? []),
    );
  }

  /** Makes the speaker what the configuration says. Only sessions that it touches are disturbed. */
  configure(config: SpeakerConfig, now: number): void {
    this.#record?.({ kind: 'configure', config, now });
    const before = this.#config;
    this.#config = config;
    this.#outbox.noteForAll();
    const isNewPolicy =
      before === undefined || settingsText(before.local) !== settingsText(config.local);
    if (isNewPolicy) this.#aggregates.configure(config.local, this.#policies.make(config.local));
    const changed = this.#configurePeers(this.#guests.join(config.peers, config), now);
    this.#ownRoutes.configure(config.ownRoutes);
    this.#policies.apply(isNewPolicy ? [...this.#peers.values()] : changed);
  }

  /**
   * Next hops may be reached through other interfaces now: filters that ask for them judge anew. Whether
   * there are any.
   */
  refreshInterfaces(): boolean {
    this.#record?.({ kind: 'refresh-interfaces' });
    this.#outbox.noteForAll();
    const peers = [...this.#peers.values()];
    const meant = peers.filter(({ config }) => asksForInterface(config.policy.filters));
    this.#policies.apply(meant);
    return meant.length > 0;
  }

  handle(event: SpeakerEvent, now: number): void {
    this.#record?.({ kind: 'event', event, now });
    if (event.kind === 'exports-complete') {
      this.#completion.areExportsComplete = true;
      return;
    }
    if (event.kind === 'inject' || event.kind === 'take-back') return this.injected.take(event);
    if (event.kind === 'services') return this.#services.take(event);
    if (event.kind === 'next-hops') {
      for (const { address, isReachable, cost } of event.hops) {
        this.#rib.setReachable(address, isReachable, cost);
      }
      return;
    }
    const peer = this.#peers.get(event.peer);
    if (peer === undefined) return;
    this.#outbox.noteEvent(peer);
    switch (event.kind) {
      case 'session':
        return this.#stepSession(peer, event.event, now);
      case 'updates':
        return this.#updates(peer, event.side, event.bodies, now);
      case 'peer-timer':
        if (event.timer === 'idle-hold') this.#stepSession(peer, { kind: 'rested' }, now);
        else if (event.timer === 'stale') this.#stale.timeOver(peer);
        else this.#reviewGuest(peer, now);
        return;
      case 'bfd':
        return this.#pathNews(peer, event.news, now);
      case 'refresh':
        this.#effects.push(...refreshAll(peer, event.direction));
        return;
      case 'writable':
        if (peer.live !== undefined) peer.live.isWaiting = false;
        return;
      default:
        event satisfies never;
    }
  }

  /** Whether UPDATE messages of the connection may be given as `updates`. */
  isEstablished(peer: string, side: Side): boolean {
    return this.#peers.get(peer)?.session.connections[side].kind === 'established';
  }

  /** Whether flush() copies what some peers have been told, and does nothing else meanwhile. */
  get isCopying(): boolean {
    return this.#groups.isParting;
  }

  /**
   * Decides, tells the peers, and answers what is to be done, in order. Does so much at a time that
   * nobody waits long: `continue` says that there is more.
   * @param prefixes to decide on
   */
  flush(prefixes = SLICE): SpeakerEffect[] {
    this.#record?.({ kind: 'flush', slice: prefixes });
    this.#groups.part(prefixes * ROWS);
    if (this.isCopying) return [...this.#effects.splice(0), { kind: 'continue' }];
    let isMore = this.#policies.rejudge(this.#peers.values(), prefixes, ({ config }) =>
      this.#note({ kind: 'rejudged', peer: config.key }),
    );
    const slice = Math.ceil(prefixes / Math.max(1, this.#groups.size / GROUPS_PER_SLICE));
    const changed = this.#rib.settle(slice);
    // Those that are decided by now are told before anything goes.
    const { isStarting } = this.#aggregates;
    if (this.#aggregates.follow(changed, slice)) isMore = true;
    this.#effects.push(...this.#routeNews.of(changed, this.#rib.isLosing));
    const isFilling = this.#groups.update(changed, slice, isStarting);
    if (!isMore && !isFilling) this.#aggregates.dropReplaced();
    if (changed.length > 0) this.#outbox.noteForAll();
    const complete = this.#completion.of(this.#rib.isUnsettled);
    this.#effects.push(...this.#outbox.batches(this.#peers.values(), complete));
    if (isFilling) this.#outbox.noteForAll();
    if (isMore || isFilling || this.#rib.isUnsettled) this.#effects.push({ kind: 'continue' });
    return this.#effects.splice(0);
  }

  /** Answers the peers whose policy has changed. */
  #configurePeers(wanted: ReadonlyMap<string, PeerConfig>, now: number): Peer[] {
    const changed: Peer[] = [];
    for (const [key, peer] of this.#peers) if (!wanted.has(key)) this.#removePeer(peer, now);
    for (const [key, config] of wanted) {
      const peer = this.#peers.get(key);
      if (peer === undefined) this.#addPeer(config, now);
      else if (this.#reconfigure(peer, config, now)) changed.push(peer);
    }
    return changed;
  }

  #addPeer(config: PeerConfig, now: number): Peer {
    const { key } = config;
    const peer = new Peer(config, this.#rib, now);
    this.#peers.set(key, peer);
    this.#startOrHold(peer, now);
    if (this.#guests.has(key)) this.#setTimer(peer, 'guest', GUEST_PATIENCE_MS);
    return peer;
  }

  #removePeer(peer: Peer, now: number): void {
    const { key } = peer.config;
    this.#stop(peer, cease(CeaseSubcode.PeerDeconfigured), now);
    this.#peers.delete(key);
    peer.received.retire();
    this.#outbox.forget(peer);
    this.#guests.dismiss(key);
    this.#effects.push({ kind: 'forget', peer: key });
  }

  #reviewGuest(peer: Peer, now: number): void {
    if (!this.#guests.has(peer.config.key)) return;
    const { phase } = peer.session;
    // Who is shut out for a while stays so, also by being remembered.
    const isThere =
      phase === 'running' ? stateName(peer.session) !== 'Active' : phase === 'resting';
    if (isThere || peer.received.staleCount > 0) this.#setTimer(peer, 'guest', GUEST_PATIENCE_MS);
    else this.#removePeer(peer, now);
  }

  /** Whether the peer's policy has changed, and nothing that would start the session anew. */
  #reconfigure(peer: Peer, config: PeerConfig, now: number): boolean {
    const before = peer.config;
    peer.config = config;
    const changes = changesOf(before, config);
    const notification = cease(CeaseSubcode.OtherConfigurationChange);
    if (changes.session) this.#stop(peer, notification, now);
    else if (peer.live !== undefined) peer.live.isNearLimit &&= !changes.prefixLimit;
    else if (changes.approach || changes.prefixLimit) {
      // It may wait for what need not come any more; its routes of before stay.
      this.#stepSession(peer, { kind: 'stop', notification }, now);
    }
    this.#startOrHold(peer, now);
    return changes.policy && !changes.session;
  }

  #pathNews(peer: Peer, news: BfdNews, now: number): void {
    if (peer.path.hasFailed(news)) {
      if (peer.live !== undefined) this.#stepSession(peer, BFD_DOWN, now);
      // RFC 5882 section 4.3.2: it does not restart, what it announced is out of reach.
      else if (news.isRemoteIndependent) this.#stale.sweep(peer);
    }
    this.#startOrHold(peer, now);
  }

  #startOrHold(peer: Peer, now: number): void {
    if (!peer.isHeld) this.#stepSession(peer, { kind: 'start' }, now);
    else if (peer.session.phase !== 'stopped') this.#stepSession(peer, BFD_HOLD, now);
  }

  #stop(peer: Peer, notification: Notification, now: number): void {
    this.#stepSession(peer, { kind: 'stop', notification }, now);
    this.#stale.drop(peer);
  }

  #stepSession(peer: Peer, event: SessionEvent, now: number): void {
    const restart = {
      isRestarting: this.#completion.isRecovering,
      isForwardingPreserved: this.#isRestarted,
    };
    const config = peer.sessionConfig(restart, this.#timing);
    const { session, effects } = stepOrEnd(peer.session, event, config, now, (fault) =>
      this.#fault(peer, fault),
    );
    peer.session = session;
    for (const effect of effects) this.#sessionEffect(peer, effect);
    this.#enforceLimit(peer, now);
  }

  #fault(peer: Peer, fault: unknown): void {
    this.#note({ kind: 'fault', peer: peer.config.key, fault });
  }

  #enforceLimit(peer: Peer, now: number): void {
    if (isTooMuch(peer)) this.#stale.sweep(peer);
    const excess = judgePrefixLimit(peer);
    if (excess === undefined) return;
    this.#note(excess.note);
    if (excess.event !== undefined) this.#stepSession(peer, excess.event, now);
  }

  #sessionEffect(peer: Peer, effect: SessionEffect): void {
    const { key } = peer.config;
    switch (effect.kind) {
      case 'up':
        return this.#up(peer, effect);
      case 'down':
        return this.#down(peer, effect);
      case 'update': {
        const context = peer.live?.negotiated.context;
        return this.#apply(peer, encodeMessage(effect.update, context).subarray(HEADER_LENGTH));
      }
      case 'refresh':
        return this.#stale.refresh(peer, effect.refresh);
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

  #up(peer: Peer, { side, negotiated, isReplacing }: UpEffect): void {
    const { config, received } = peer;
    const live = peer.begin(side, negotiated);
    peer.expectNextHops(this.#rib.attributes.hops);
    // Routes that have awaited it may be told again as they are, by another router id.
    if (received.setSource(live.source)) peer.rejudged = 0;
    peer.inbound = this.#policies.inboundFor(peer, negotiated);
    this.#note({ kind: 'up', peer: config.key });
    this.#stale.takeBack(peer, negotiated.gracefulRestart, isReplacing === true);
    const { exports } = this.#policies;
    if (exports !== undefined) this.#groups.join(peer, live, exports);
  }

  #down(peer: Peer, { negotiated, isGraceful, reason, isDropped }: DownEffect): void {
    const wasRefreshing = (peer.live?.refreshing.size ?? 0) > 0;
    this.#groups.leave(peer);
    peer.live = undefined;
    peer.inbound = undefined;
    peer.expectNothing(this.#rib.attributes.hops);
    const how = isDropped === true ? { isDropped } : {};
    this.#note({ kind: 'down', peer: peer.config.key, reason, isGraceful, ...how });
    this.#stale.lose(peer, isGraceful ? negotiated.gracefulRestart : undefined, wasRefreshing);
  }

  #updates(peer: Peer, side: Side, bodies: readonly Uint8Array[], now: number): void {
    // For the session an UPDATE is what a KEEPALIVE is: the hold timer starts again.
    const alive = { kind: 'message', message: KEEPALIVE } as const;
    this.#stepSession(peer, { kind: 'connection', side, event: alive }, now);
    try {
      for (const body of bodies) {
        this.#apply(peer, body);
        this.#enforceLimit(peer, now);
      }
    } catch (cause) {
      const isTheirs = cause instanceof ProtocolError;
      if (isTheirs) peer.malformed = countReset(peer.malformed);
      else this.#fault(peer, cause);
      const event = isTheirs
        ? ({ kind: 'malformed', notification: cause.notification, reason: cause.message } as const)
        : faultOf(cause);
      this.#stepSession(peer, { kind: 'connection', side, event }, now);
    }
  }

  /** @throws ProtocolError where the session must be reset */
  #apply(peer: Peer, body: Uint8Array): void {
    const { live, inbound, config } = peer;
    if (live === undefined || inbound === undefined) return;
    const { news, endOfRib } = inbound.apply(body);
    for (const each of news) this.#note({ ...each, peer: config.key });
    peer.malformed = countMalformed(peer.malformed, news);
    if (endOfRib === undefined || !live.negotiated.families.includes(endOfRib)) return;
    // Said again it says nothing more.
    if (live.complete.has(endOfRib)) return;
    live.complete.add(endOfRib);
    this.#note({ kind: 'end-of-rib', peer: config.key, family: endOfRib });
    this.#stale.endOfRib(peer, endOfRib);
  }

  #setTimer(peer: Peer, timer: PeerTimer, delayMs: number): void {
    this.#effects.push({ kind: 'set-timer', peer: peer.config.key, timer, delayMs });
  }

  #note(note: Note): void {
    this.#effects.push({ kind: 'note', note });
  }
}
