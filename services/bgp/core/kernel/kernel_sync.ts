// Keeps the kernel's routes what the routing table wants. Reads back, compares, commits differences;
// whatever someone else changes is put right and reported.
import type { Address, Prefix } from '@calico/ip';
import type { KernelNews, KernelPort } from '../../ports.ts';
import type { RouteNews } from '../host/host.ts';
import type { Defer } from '../host/turns.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { SortedAddresses } from '../rib/sorted_addresses.ts';
import type { Removal } from './changes.ts';
import { Failures } from './failures.ts';
import { KernelReading, type Lost, type Taking } from './kernel_reading.ts';
import { OtherRoutes } from './other_routes.ts';
import { type OnAnswer, type PlanInputs, RoutePlan } from './route_plan.ts';
import { RouteStates } from './route_states.ts';
import { describeFailure, describeRoute } from './route_text.ts';
import { RouteWriter } from './route_writer.ts';
import { shortened } from './shortened.ts';
import { Strays } from './strays.ts';
import { type KernelRoute, type OtherRoute, sameTarget } from './types.ts';

const TUNNEL = 'tunl0';
/** Prefixes that are planned anew at a time: a millisecond or two of compiled code. */
const SLICE = 2_048;
/** Prefixes that are looked at, whether they are as wanted, at a time: as long. */
const MARKED = 65_536;

const NOTHING_LOST: Lost = { routes: [], count: 0 };

export type SyncEvents = {
  /** Calls back when others have had their turn. */
  readonly defer: Defer;
  /** What the kernel says about next hops, also of routes that are not programmed. */
  readonly onNextHop: OnAnswer;
  /** A route of ours has changed that next hops or peers may be reached by. */
  readonly onWay: () => void;
  /** Routes that someone else removed or altered, and that are put right: the first of them, and how many. */
  readonly onRepaired: (routes: readonly string[], count: number) => void;
  /** What is wanted is in the kernel, but for `problems`. */
  readonly onSettled: () => void;
};

export class KernelSync {
  readonly #kernel: KernelPort;
  readonly #rib: LocRib;
  readonly #states: RouteStates;
  readonly #others: OtherRoutes;
  readonly #strays: Strays;
  readonly #plan: RoutePlan;
  readonly #writer: RouteWriter;
  readonly #events: SyncEvents;
  readonly #failures: Failures;
  #inputs: Omit<PlanInputs, 'tunnelIndex'> | undefined;
  #tunnelIndex: number | undefined;
  #reading: KernelReading | undefined;
  #isReadAgain = false;
  /** When everything has been planned anew, the kernel is read, or only written. */
  #isReadNext = false;
  #isPlanningOn = false;
  #isAskingNew = false;
  /** Since what is wanted was last compared with what is there. */
  #isPlannedAnew = false;
  /** Prefixes below have been marked, if more are to be; undefined: all have. */
  #committed: number | undefined;
  #isStopped = false;
  /** Addresses that have to be reached besides next hops: peers, and the gateways that some are behind. */
  #peers = new SortedAddresses();
  #gateways = new SortedAddresses();

  constructor(kernel: KernelPort, rib: LocRib, events: SyncEvents) {
    this.#kernel = kernel;
    this.#rib = rib;
    this.#events = events;
    this.#states = new RouteStates(rib.prefixes);
    this.#failures = new Failures(rib.prefixes);
    this.#others = new OtherRoutes(rib.prefixes, (id) => {
      this.#plan.takenOrFree(id);
      this.#mark(id);
    });
    const isTaken = (id: number): boolean => this.#others.has(id);
    this.#plan = new RoutePlan(rib, this.#states, { kernel, isTaken, onAnswer: events.onNextHop });
    const isOpen = (id: number): boolean => this.#plan.isOpen(id);
    this.#strays = new Strays({ states: this.#states, kernel, defer: events.defer, isOpen });
    this.#writer = new RouteWriter(kernel, this.#states, {
      defer: events.defer,
      isOpen,
      onDone: (id) => {
        this.#reading?.touch(id);
        this.#failures.forget(id);
        if (!this.#isStopped && this.#isWay(id)) events.onWay();
      },
      onFailed: (id, failure, kind, route) => {
        this.#reading?.touch(id);
        this.#failures.note(id, describeFailure(failure, kind, route));
      },
      onIdle: () => {
        this.#strays.remove(this.#writer.removal);
        if (this.#isCompared) events.onSettled();
      },
    });
  }

  /**
   * Routes found at start.
   * @param routes an earlier process of this service left them
   * @param others are somebody else's
   */
  takeInitial(routes: readonly KernelRoute[], others: readonly OtherRoute[] = []): void {
    for (const route of others) this.#others.add(route);
    const reading = new KernelReading(this.#states);
    for (const route of routes) reading.visit(route);
    // All at once: nothing has begun yet.
    Array.from(reading.finish(() => false));
    Array.from(this.#strays.take(reading.strays));
  }

  /** Wanted routes that are not in the kernel, and why. */
  get problems(): readonly string[] {
    const [planned, failed] = [this.#plan.problems, this.#failures.texts];
    return [
      ...shortened(planned.values(), planned.size, 'routes cannot be programmed'),
      ...shortened(failed.values(), failed.size, 'routes cannot be written'),
    ];
  }

  /** What became of one prefix. */
  stateOf(prefix: Prefix): {
    readonly route: string | undefined;
    readonly problem: string | undefined;
  } {
    const id = this.#states.prefixes.find(prefix);
    const target = id < 0 ? undefined : this.#states.actualOf(id);
    return {
      route: target === undefined ? undefined : describeRoute(this.#states.routeOf(id, target)),
      problem: this.#failures.texts.get(id) ?? this.#plan.problemOf(id),
    };
  }

  /** What is wanted is in the kernel. */
  get isDone(): boolean {
    return this.#failures.texts.size === 0 && this.#writer.isIdle && this.#isCompared;
  }

  /** The writer knows of everything that is wanted. */
  get #isCompared(): boolean {
    return (
      !this.#plan.isPlanning &&
      !this.#plan.hasLate &&
      !this.#isPlannedAnew &&
      this.#committed === undefined
    );
  }

  /** onNextHop is about to be told more. */
  get isAsking(): boolean {
    return this.#plan.isAsking;
  }

  get routeCount(): number {
    return this.#states.size;
  }

  configure(inputs: Omit<PlanInputs, 'tunnelIndex'>): void {
    this.#inputs = inputs;
    this.#gateways = new SortedAddresses(inputs.statics.map(({ gateway }) => gateway));
    this.#tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    this.#plan.configure({ ...inputs, tunnelIndex: this.#tunnelIndex });
    this.#carryOut();
  }

  /** Best paths changed. */
  update({ prefixes: ids, isLosing }: RouteNews): void {
    this.#plan.update(ids);
    for (const id of ids) this.#mark(id);
    this.#writer.isLosing = isLosing;
    this.#writer.pump();
    this.#followNextHops();
  }

  /** What is wanted of the prefix may be something else now. */
  #mark(id: number): void {
    this.#failures.forget(id);
    if (!this.#states.isRight(id) || this.#writer.isUnderWay(id)) this.#writer.mark(id);
  }

  /** Tries again what could not be written, now and then. @param now of a clock that never goes back, ms */
  retry(now: number): void {
    this.#retryOn(this.#failures.takeDue(now));
  }

  #retryOn(slices: ReturnType<Failures['takeDue']>): void {
    if (this.#isStopped) return;
    const { done, value } = slices.next();
    if (done === true) return;
    for (const id of value) this.#writer.mark(id);
    if (value.length > 0) this.#writer.review();
    this.#events.defer(() => this.#retryOn(slices));
  }

  /** What may be removed has become more. */
  allowRemoval(removal: Removal): void {
    this.#writer.removal = removal;
    this.#commit();
  }

  /** Leaves the kernel as it is, for good: what has begun may find it closed. */
  stop(): void {
    this.#isStopped = true;
    this.#writer.stop();
    this.#strays.stop();
  }

  /** Peers have to be reached as next hops have. */
  watch(peers: readonly Address[]): void {
    this.#peers = new SortedAddresses(peers);
    if (this.#plan.watch(peers)) this.#carryOut();
  }

  /** A blackhole of ours stands before the address, for now: whether it is reached is not known. */
  isHidden(address: Address): boolean {
    return this.#plan.isHidden(address);
  }

  /** Reads the kernel and puts it right: after changes by others, and now and then anyway. */
  resync(): void {
    const tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    if (tunnelIndex !== this.#tunnelIndex && this.#inputs !== undefined) {
      this.#tunnelIndex = tunnelIndex;
      this.#plan.configure({ ...this.#inputs, tunnelIndex });
    }
    this.#plan.askAgain();
    this.#isReadNext = true;
    this.#carryOut();
  }

  /** Asks and plans what is to be asked and planned anew, a slice per turn, and then does what follows from it. */
  #carryOut(): void {
    if (this.#isPlanningOn || this.#isStopped) return;
    this.#plan.askOn();
    this.#isPlannedAnew ||= this.#plan.isPlanning;
    this.#plan.planOn(SLICE);
    this.#followNextHops();
    if (this.#plan.isAsking || this.#plan.isPlanning) return this.#carryOutLater();
    if (!this.#isReadNext) {
      // Otherwise nothing is wanted that was not wanted before: what has failed is tried again by resync().
      if (this.#isPlannedAnew) this.#commit();
      return;
    }
    this.#isReadNext = false;
    // What happens after this call may have been passed by already.
    this.#isReadAgain = this.#reading !== undefined;
    if (!this.#isReadAgain) this.#read();
  }

  #carryOutLater(): void {
    if (this.#isPlanningOn) return;
    this.#isPlanningOn = true;
    this.#events.defer(() => {
      this.#isPlanningOn = false;
      this.#carryOut();
    });
  }

  #read(): void {
    const reading = new KernelReading(this.#states);
    this.#reading = reading;
    this.#others.begin();
    this.#kernel.read(
      (route) => reading.visit(route),
      (route) => this.#others.visit(route),
      (isWhole) => this.#takeOver(this.#taking(reading, isWhole)),
    );
  }

  /** What others have comes first: a route that was given up for theirs is not missed. */
  *#taking(reading: KernelReading, isWhole: boolean): Taking {
    yield* this.#others.end(isWhole);
    if (!isWhole) return NOTHING_LOST;
    yield* this.#strays.take(reading.strays);
    return yield* reading.finish((id) => this.#writer.isUnderWay(id));
  }

  /** What has been read is compared with what is believed, a slice per turn. */
  #takeOver(taking: Taking): void {
    if (this.#isStopped) return;
    const { done, value } = taking.next();
    if (done !== true) return this.#events.defer(() => this.#takeOver(taking));
    const { routes, count } = value;
    if (count > 0) this.#events.onRepaired(routes.map(describeRoute), count);
    this.#endReading();
  }

  #endReading(): void {
    this.#reading = undefined;
    if (this.#isStopped) return;
    this.#commit();
    if (!this.#isReadAgain) return;
    this.#isReadAgain = false;
    this.#read();
  }

  /** Asks the kernel again how it reaches the next hops. */
  followWays(): void {
    const tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    if (tunnelIndex !== this.#tunnelIndex) return this.resync();
    this.#plan.askAgain();
    return this.#carryOut();
  }

  /**
   * Asks the kernel about next hops that peers have told since: some at once, the others a few per turn.
   * @param isOver whether what is asked at once should come to an end
   */
  askNew(isOver: () => boolean): void {
    if (this.#isStopped) return;
    const { hops } = this.#rib.attributes;
    for (let isMore = hops.hasUnasked; isMore; isMore = hops.hasUnasked && !isOver()) {
      this.#plan.askNew();
    }
    if (this.#plan.isPlanning) this.#carryOutLater();
    this.#followNextHops();
  }

  #followNextHops(): void {
    const isAsked = this.#rib.attributes.hops.hasUnasked || this.#plan.hasLate;
    if (this.#isAskingNew || this.#isStopped || !isAsked) return;
    this.#isAskingNew = true;
    this.#events.defer(() => {
      this.#isAskingNew = false;
      if (this.#isStopped) return;
      this.#plan.askNew();
      if (this.#plan.hasLate) this.#planLate();
      if (this.#plan.isPlanning) this.#carryOut();
      this.#followNextHops();
    });
  }

  #planLate(): void {
    this.#plan.planLate(SLICE, (id) => this.#mark(id));
    if (this.#plan.hasLate) this.#writer.pump();
    else this.#writer.review();
  }

  /**
   * Where somebody else has a route, ours is withdrawn; where he has none any more, it is put in.
   * @returns whether resync() has to tell which it is
   */
  noteOthers(news: KernelNews): boolean {
    if (news.kind === 'route') {
      // The kernel does not tell whether it has taken the place of theirs.
      const id = this.#states.prefixes.find(news.route.prefix);
      return news.action === 'new' && this.#others.has(id);
    }
    const other = news.kind === 'ways' ? news.other : undefined;
    let isKnown = true;
    if (news.kind === 'pod-link-down') this.#others.removeInterface(news.interfaceIndex);
    else if (other?.action === 'new') this.#others.add(other.route);
    else if (other !== undefined) isKnown = this.#others.remove(other.route);
    else return false;
    this.#writer.pump();
    return !isKnown;
  }

  /** Whether what the monitor saw matters here. */
  concerns(news: KernelNews): boolean {
    if (news.kind === 'route') return this.contradicts(news.action, news.route);
    if (news.kind === 'pod-link-down') return false;
    if (news.kind !== 'ways' || news.to === undefined) return true;
    const { to } = news;
    return this.#rib.attributes.hops.isTold(to) || this.#peers.has(to) || this.#gateways.has(to);
  }

  /** Whether what the monitor saw is not what this service did last. */
  contradicts(action: 'new' | 'deleted', route: KernelRoute): boolean {
    if (route.metric !== undefined) return action === 'new';
    const id = this.#states.prefixes.find(route.prefix);
    if (id >= 0 && this.#writer.isUnderWay(id)) return false;
    const held = id < 0 ? undefined : this.#states.actualOf(id);
    const isSame = held !== undefined && sameTarget(held, route);
    return action === 'deleted' ? isSame : !isSame;
  }

  /** Marks what is not as it is wanted, in slices. */
  #commit(): void {
    this.#isPlannedAnew = false;
    // What is not wanted any more has not failed; of all others the outcome decides.
    for (const id of this.#failures.texts.keys()) {
      if (this.#states.isRight(id)) this.#failures.forget(id);
    }
    const isGoingOn = this.#committed !== undefined;
    this.#committed = 0;
    if (!isGoingOn) this.#commitOn();
  }

  #commitOn(): void {
    if (this.#committed === undefined || this.#isStopped) return;
    const { limit } = this.#states;
    const end = Math.min(limit, this.#committed + MARKED);
    for (let id = this.#committed; id < end; id++) {
      if (!this.#states.isRight(id)) this.#writer.mark(id);
    }
    this.#committed = end === limit ? undefined : end;
    this.#writer.isMarking = end < limit;
    if (end < limit) return this.#events.defer(() => this.#commitOn());
    this.#writer.review();
  }

  #isWay(id: number): boolean {
    const { prefixes, attributes } = this.#rib;
    return (
      attributes.hops.hasToldInside(prefixes, id) ||
      this.#peers.hasInside(prefixes, id) ||
      this.#gateways.hasInside(prefixes, id)
    );
  }
}
