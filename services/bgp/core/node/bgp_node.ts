// One node's BGP: resources in, sessions and kernel routes out, and reports of what became true.
//
//   resources --derive--> Speaker (in Host) --best paths--> KernelSync --> kernel
//                            ^  |                               ^
//                     peers--+  +--notes--> log, reports        +-- monitor, every 30 s
import { BfdState } from '@calico/bfd-wire';
import type { CancelTimer } from '@calico/clock';
import { type Address, type Prefix, sameAddress } from '@calico/ip';
import type { Connection, ConnectionHandler, KernelNews, PeerStatus } from '../../ports.ts';
import type { BfdStatus } from '../bfd/types.ts';
import { type Derivation, type Derived, deriveSpeaker } from '../cluster/derive_speaker.ts';
import { Handover } from '../cluster/handover.ts';
import { Parting } from '../cluster/parting.ts';
import { asksForLinks, type ClusterResources } from '../cluster/resources.ts';
import { NO_SURROUNDINGS } from '../cluster/surroundings.ts';
import { kernelText } from '../explain/explain.ts';
import { Host } from '../host/host.ts';
import { Later } from '../host/later.ts';
import { type Defer, Turns } from '../host/turns.ts';
import { KernelSync } from '../kernel/kernel_sync.ts';
import { blockTexts } from '../kernel/route_plan.ts';
import { interiorCost, type OtherRoute } from '../kernel/types.ts';
import { type SpeakerConfig, settingsText } from '../speaker/config.ts';
import type { Note } from '../speaker/events.ts';
import { Speaker } from '../speaker/speaker.ts';
import type { BgpNodeOptions } from './bgp_node_options.ts';
import { KernelChanges } from './kernel_changes.ts';
import { type Listen, listenFor } from './listen.ts';
import { LostWays, NO_WAY } from './lost_ways.ts';
import { NextHopInterfaces } from './next_hop_interfaces.ts';
import { NextHopNews } from './next_hop_news.ts';
import { NoteLog } from './note_log.ts';
import { Observers } from './observers.ts';
import { Operator } from './operator.ts';
import { Paths } from './paths.ts';
import { PeerStatuses } from './peer_statuses.ts';
import { Recovery } from './recovery.ts';
import { Repairs } from './repairs.ts';
import { Reports } from './reports.ts';
import { Services } from './services.ts';

const MAINTENANCE_MS = 1_000;
const RESYNC_MS = 30_000;

export type { Listen, ListenPeer } from './listen.ts';

type Given = { readonly resources: ClusterResources; readonly inSync: boolean };

export class BgpNode {
  readonly speaker: Speaker;
  /** Shared by all who work for long. */
  readonly turns: Turns;
  readonly operator: Operator;
  /** Told before setResources() of the same moment, so that own routes are complete only with these. */
  readonly services: Services;
  readonly #options: BgpNodeOptions;
  /** A first configuration is enough for one turn. */
  readonly #listening: Later;
  /** Guests come in crowds. */
  readonly #watching: Later;
  readonly #host: Host;
  readonly #kernel: KernelSync;
  readonly #kernelChanges: KernelChanges;
  readonly #nextHops: NextHopNews;
  readonly #interfaces: NextHopInterfaces;
  readonly #lostWays: LostWays;
  readonly #repairs: Repairs;
  readonly #paths: Paths;
  readonly #observers: Observers;
  readonly #noteLog: NoteLog;
  readonly #statuses: PeerStatuses;
  readonly #reports: Reports;
  readonly #recovery: Recovery;
  #derivation: Derivation = { derived: undefined, problems: ['No resources have arrived yet'] };
  #derivedText = '';
  readonly #parting = new Parting();
  readonly #handover = new Handover();
  #given: Given | undefined;
  #revision = 0n;
  #lastResync: number;
  #listenProblem: string | undefined;
  #cancelMaintenance: CancelTimer = () => {};
  /** Peers whose paths are watched. */
  #watchedCount = 0;
  #isStopped = false;

  /** They call each other back, in a circle: so the kernel's routes, and time, come in when all are there. */
  constructor(options: BgpNodeOptions) {
    this.#options = options;
    const { node, clock, kernel, log, reporter, bfd, collector, recording } = options;
    const { turns = new Turns(clock) } = options;
    const { defer } = turns;
    this.turns = turns;
    const others: OtherRoute[] = [];
    const found = kernel.list((route) => others.push(route));
    this.speaker = this.#makeSpeaker(found.length > 0);
    const { speaker } = this;
    const { hops } = speaker.rib.attributes;
    this.#repairs = new Repairs(clock, log);
    this.#noteLog = new NoteLog(log);
    this.#paths = new Paths(bfd, (name) => kernel.interfaceIndex(name));
    this.#statuses = new PeerStatuses(speaker.peers, (peer) => this.#paths.statusOf(peer));
    this.#observers = new Observers({ speaker, clock, node, collector, recording });
    this.#kernel = this.#makeKernelSync(defer);
    this.#kernelChanges = new KernelChanges(clock, (isRead) => this.#followKernel(isRead));
    this.#host = this.#makeHost(turns);
    this.operator = new Operator(this.#host, speaker.injected, this.#observers.counter, turns);
    this.#nextHops = new NextHopNews(hops, {
      defer,
      onNews: () => {
        if (!this.#isStopped) this.#host.goOn();
      },
    });
    this.#interfaces = new NextHopInterfaces(kernel, hops, {
      defer,
      isAsking: () => this.#kernel.isAsking,
      onChanged: () => {
        if (!this.#isStopped) this.#host.refreshInterfaces();
      },
    });
    this.#lostWays = new LostWays(speaker, kernel, {
      defer,
      isHidden: (address) => this.#kernel.isHidden(address),
      onLost: (peer) => this.#host.order({ kind: 'session', peer, event: NO_WAY }),
    });
    this.services = new Services({
      clock,
      defer,
      onChanges: (changes) => this.#host.order({ kind: 'services', ...changes }),
      onSettled: () => {
        this.#recovery.maintain();
        this.#settled();
      },
    });
    this.#recovery = new Recovery({
      clock,
      defer,
      speaker,
      host: this.#host,
      sync: this.#kernel,
      interfaceIndex: (name) => kernel.interfaceIndex(name),
      areServicesTold: () => this.services.isSettled,
    });
    this.#reports = new Reports({
      clock,
      reporter,
      statuses: this.#statuses,
      node: this,
      isApplied: () =>
        this.#kernel.isDone && this.services.isSettled && this.#derivation.derived !== undefined,
      onPeers: () => this.operator.peersChanged(),
    });
    this.#listening = new Later(defer, () => options.onListen?.(this.listen));
    this.#watching = new Later(defer, () => this.#watchPaths());
    this.#lastResync = clock.now();
    this.#kernel.takeInitial(found, others);
    this.#maintainLater();
  }

  /** @param isRestarted the kernel's own routes are the mark of it: nothing else has to be remembered */
  #makeSpeaker(isRestarted: boolean): Speaker {
    const { timing, record } = this.#options;
    return new Speaker({
      isRestarted,
      interfaceOf: (nextHop) => this.#interfaces.of(nextHop),
      ...(timing === undefined ? {} : { timing }),
      ...(record === undefined ? {} : { record }),
    });
  }

  #makeKernelSync(defer: Defer): KernelSync {
    return new KernelSync(this.#options.kernel, this.speaker.rib, {
      defer,
      onNextHop: (address, resolution) => {
        const isReachable = resolution !== undefined || this.#isOwn(address);
        const cost = resolution === undefined ? 0 : interiorCost(address.family, resolution);
        this.#nextHops.take({ address, isReachable, cost });
        this.#interfaces.take(address, resolution);
      },
      onWay: () => this.#kernelChanges.takeOwn(),
      onRepaired: (routes, count) => this.#repairs.add(routes, count),
      onSettled: () => this.#settled(),
    });
  }

  #makeHost(turns: Turns): Host {
    const { transport, clock, random } = this.#options;
    return new Host({
      speaker: this.speaker,
      transport,
      clock,
      random,
      turns,
      beforeDecision: () => {
        this.#kernel.askNew(() => turns.isReadingOver);
        const hops = this.#nextHops.takeNews();
        if (hops.length === 0) return undefined;
        this.#reports.soon();
        return { kind: 'next-hops', hops };
      },
      onRoutes: (news) => {
        this.#kernel.update(news);
        this.#reports.soon();
        this.#observers.routes(news.prefixes);
      },
      onNote: (note) => {
        this.#observers.noted(note);
        this.#noted(note);
      },
      onMessage: (message) => this.#observers.told(message),
      onSent: (peer, pieces) => this.#observers.sent(peer, pieces),
      onUpdates: (peer, bodies) => this.#observers.updates(peer, bodies),
    });
  }

  /** What has to be listened on; undefined: nothing. */
  get listen(): Listen | undefined {
    const { derived } = this.#derivation;
    const { config } = this.speaker;
    if (derived === undefined || config === undefined) return undefined;
    return listenFor(derived, config, asksForLinks(this.#given?.resources.bgpPeers));
  }

  get kernelRouteCount(): number {
    return this.#kernel.routeCount;
  }

  /** What became of a prefix in the kernel, as a sentence. */
  kernelTextOf(prefix: Prefix): string {
    return kernelText(prefix, this.#kernel.stateOf(prefix));
  }

  get revision(): bigint {
    return this.#revision;
  }

  get isInSync(): boolean {
    return this.#recovery.isInSync;
  }

  /** Speaks BGP, and knows with whom. */
  get isReady(): boolean {
    return this.#derivation.derived !== undefined && this.#listenProblem === undefined;
  }

  /** What is wrong, one sentence each. */
  get messages(): readonly string[] {
    return [
      ...this.#derivation.problems,
      ...(this.#listenProblem === undefined ? [] : [this.#listenProblem]),
      ...this.#nextHops.problems,
      ...this.#kernel.problems,
      ...this.#paths.problems,
      ...(this.#options.links?.problems ?? []),
    ];
  }

  /** What was put right not long ago, one sentence each. */
  get recent(): readonly string[] {
    return this.#repairs.messages();
  }

  peers(): PeerStatus[] {
    return this.#statuses.list();
  }

  /** Paths that BFD watches and that are up, or not. */
  pathCount(isUp: boolean): number {
    return this.#paths.count(isUp);
  }

  /** @param state.inSync false for what is remembered from an earlier process */
  setResources(
    resources: ClusterResources,
    state: { readonly inSync: boolean; readonly revision: bigint },
  ): void {
    if (this.#isStopped) return;
    const { node, routerId, clock, secrets, kernel, links, serviceClusterIPs } = this.#options;
    this.#given = { resources, inSync: state.inSync };
    this.#derivation = deriveSpeaker(node, routerId, resources, {
      secrets: secrets ?? NO_SURROUNDINGS.secrets,
      linkLocalAddress: (name) => kernel.linkLocalAddress(name),
      neighbourOn: (name) => links?.neighbourOn(name),
      serviceClusterIPs: serviceClusterIPs ?? NO_SURROUNDINGS.serviceClusterIPs,
    });
    const { derived } = this.#derivation;
    links?.configure(derived?.speaker.links ?? []);
    const text = settingsText(derived);
    if (derived !== undefined && text !== this.#derivedText) {
      this.#derivedText = text;
      this.#configure(derived, this.#handover.configure(derived, clock.monotonic()));
      this.#observers.configure(derived);
    }
    this.#listening.ask();
    this.#recovery.given({ inSync: state.inSync, isConfigured: derived !== undefined });
    this.setRevision(state.revision);
    this.#reports.soon();
  }

  /** @param speaker of the derivation, with routes that go later */
  #configure(derived: Derived, speaker: SpeakerConfig): void {
    const { pools, subnet, services, statics, programs } = derived;
    const blocks = speaker.ownRoutes.filter(({ kind }) => kind === 'block');
    const ownBlocks = blockTexts(blocks.map(({ prefix }) => prefix));
    this.#host.configure(this.#parting.configure(speaker, derived.leftOut));
    this.#watchPaths();
    const { aggregates = [] } = speaker.local;
    this.#kernel.configure({ pools, subnet, services, statics, programs, ownBlocks, aggregates });
    this.services.configure(derived.serviceRules);
  }

  /** What the configuration refers to outside of it has changed: passwords, interfaces. */
  deriveAgain(): void {
    if (this.#given === undefined) return;
    const { resources, inSync } = this.#given;
    this.setResources(resources, { inSync, revision: this.#revision });
  }

  /** Everything up to the revision has been given to setResources(). */
  setRevision(revision: bigint): void {
    this.#revision = revision;
    this.#reports.applied();
  }

  /** Why peers cannot connect to us; undefined when they can. */
  setListenProblem(problem: string | undefined): void {
    this.#listenProblem = problem;
    this.#reports.soon();
  }

  /** @param interfaceName where a link-local address is */
  accept(from: Address, connection: Connection, interfaceName?: string): ConnectionHandler {
    const { size } = this.speaker.peers;
    const handler = this.#host.accept(from, connection, interfaceName);
    if (this.speaker.peers.size > size) this.#watching.ask();
    return handler;
  }

  kernelChanged(news: KernelNews): void {
    if (this.#isStopped) return;
    const isUnsure = this.#kernel.noteOthers(news);
    const isToBeRead = isUnsure || news.kind !== 'ways';
    if (isUnsure || this.#kernel.concerns(news)) this.#kernelChanges.take(isToBeRead);
  }

  #followKernel(isToBeRead: boolean): void {
    this.#interfaces.forgetNames();
    if (asksForLinks(this.#given?.resources.bgpPeers)) this.#followLinks();
    if (isToBeRead) this.#resync();
    else this.#kernel.followWays();
    this.#reports.soon();
    this.#lostWays.look();
  }

  /** BFD has found out something about the path to an address. */
  pathChanged(status: BfdStatus): void {
    const before = this.#paths.take(status);
    for (const { config } of this.speaker.peers.values()) {
      const isThere = config.interface === status.interface;
      if (!isThere || !sameAddress(config.address, status.address)) continue;
      const { key: peer } = config;
      const [was, is] = [before?.state === BfdState.Up, status.state === BfdState.Up];
      if (is && !was) this.#options.log.info('path is up', { peer });
      if (was && !is) this.#options.log.warn('path is down', { peer, cause: status.cause });
      this.#host.pathChanged(peer, status);
    }
    this.#reports.soon();
  }

  /** The kernel has no way to the node itself, and needs none. */
  #isOwn(address: Address): boolean {
    const own = this.speaker.config?.local.address[address.family];
    return own !== undefined && sameAddress(own, address);
  }

  #followLinks(): void {
    this.deriveAgain();
    this.#watchPaths();
  }

  #watchPaths(): void {
    const peers = Array.from(this.speaker.peers.values(), ({ config }) => config);
    this.#watchedCount = peers.length;
    this.#paths.configure(peers);
    this.#kernel.watch(peers.map(({ address }) => address));
    // A peer that is new at an address is told what is known of it.
    for (const peer of peers) {
      const status = this.#paths.statusOf(peer);
      if (status !== undefined) this.#host.pathChanged(peer.key, status);
    }
  }

  /** Leaves quietly: peers keep our routes, the kernel keeps theirs. What it is told later is ignored. */
  stop(): void {
    this.#isStopped = true;
    this.#listening.stop();
    this.#watching.stop();
    this.#kernel.stop();
    this.#lostWays.stop();
    this.#cancelMaintenance();
    this.#kernelChanges.stop();
    this.#reports.stop();
    this.#recovery.stop();
    this.services.stop();
    this.#host.stop();
    this.#noteLog.stop();
  }

  #maintainLater(): void {
    this.#cancelMaintenance = this.#options.clock.setTimer(MAINTENANCE_MS, () => {
      this.#maintain();
      this.#maintainLater();
    });
  }

  #maintain(): void {
    const now = this.#options.clock.now();
    this.#observers.maintain();
    this.#noteLog.maintain(now);
    this.#recovery.maintain();
    this.#reviewHandover();
    this.#reviewParting();
    // Guests that stay away are dismissed.
    if (this.speaker.peers.size < this.#watchedCount) this.#watching.ask();
    const age = now - this.#lastResync;
    if (age >= RESYNC_MS) this.#resync();
    else this.#kernel.retry(this.#options.clock.monotonic());
    this.#reports.soon();
  }

  #reviewHandover(): void {
    const { derived } = this.#derivation;
    // What is over is told once: it waits until it can take effect.
    if (derived === undefined) return;
    const speaker = this.#handover.review(this.#options.clock.monotonic());
    if (speaker !== undefined) this.#configure(derived, speaker);
  }

  #reviewParting(): void {
    const config = this.#parting.review((peers) => this.speaker.coverageOf(peers));
    if (config === undefined) return;
    this.#host.configure(config);
    this.#watchPaths();
    this.#listening.ask();
  }

  #resync(): void {
    this.#kernelChanges.read();
    this.#lastResync = this.#options.clock.now();
    this.#kernel.resync();
    this.#reports.soon();
  }

  /** Somebody may wait for it. */
  #settled(): void {
    this.#reports.applied();
    this.#reports.soon();
  }

  #noted(note: Note): void {
    if (note.kind === 'end-of-rib') this.#recovery.peerComplete();
    this.#noteLog.take(note, this.#options.clock.now());
    this.#reports.soon();
  }
}
