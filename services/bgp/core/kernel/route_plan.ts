// All routes that the kernel should have, kept up to date with the routing table.
import {
  type Address,
  addressBits,
  formatAddress,
  formatPrefix,
  hostPrefix,
  isLinkLocal,
  type Prefix,
} from '@calico/ip';
import type { IPPool } from '@calico/model';
import type { KernelPort } from '../../ports.ts';
import type { Programs } from '../cluster/derive_speaker.ts';
import type { StaticRoute } from '../cluster/peer_book.ts';
import { IntQueue, withRow } from '../rib/columns.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { PathFlag } from '../rib/path_table.ts';
import { PrefixRanges } from '../rib/prefix_ranges.ts';
import { CutOffs } from './cut_offs.ts';
import { KnownWays, type NextHop } from './known_ways.ts';
import { type Plan, type PlanContext, planPool, planRoute, planStatic } from './plan.ts';
import { QUESTIONS, Round } from './round.ts';
import type { RouteStates } from './route_states.ts';
import { describeTaken } from './route_text.ts';
import { hopsOf, type Resolution, type WayHop } from './types.ts';

export type PlanInputs = Omit<PlanContext, 'pools' | 'resolve' | 'cutOffBy'> & {
  /** Widest first. */
  readonly pools: readonly { readonly prefix: Prefix; readonly pool: IPPool }[];
  readonly programs: Programs;
  readonly statics: readonly StaticRoute[];
  /** Of the configuration; none overlap. */
  readonly aggregates: readonly Prefix[];
};

/** What the kernel is asked about an address. */
export type Questions = Pick<KernelPort, 'resolve' | 'matchedLength'>;

/** How the kernel reaches a next hop that can be told apart by its address; undefined: not at all. */
export type RoutePlanParts = {
  readonly kernel: Questions;
  /** Whether somebody else has a route to the prefix. */
  readonly isTaken: (id: number) => boolean;
  readonly onAnswer: OnAnswer;
};

export type OnAnswer = (nextHop: Address, resolution: Resolution | undefined) => void;

/** What was planned for routes of the same kind through the same next hop. */
type Planned = { readonly nextHop: Address; readonly plan: Plan };

const DONE = -1;
/** A route that is planned by itself, as one with several next hops, takes as long as this many that are planned alike. */
const ALIKE = 8;
/** What update() plans before it puts something off. */
const AT_ONCE = 2_048;
const SOURCES = 0x1_0000;
const KINDS = 0x1000;

export class RoutePlan {
  readonly #rib: LocRib;
  readonly #states: RouteStates;
  readonly #kernel: Questions;
  readonly #isTaken: (id: number) => boolean;
  readonly #onAnswer: OnAnswer;
  readonly #problems = new Map<number, string>();
  /** To the next hops of routes, peers' gateways, and what peers have told. */
  readonly #ways = new KnownWays();
  readonly #cutOffs = new CutOffs();
  #peers: readonly Address[] = [];
  /** Next hops that the kernel is to be asked about again. */
  readonly #round = new Round(() => this.#begin());
  /** The kernel has answered otherwise than before. */
  #isOtherwise = false;
  /** Prefixes with a route that the operator has asked for: held. */
  readonly #statics = new Map<number, StaticRoute>();
  readonly #planned = new Map<number, Planned>();
  /** Prefixes that may still be planned in this turn. */
  #left = 0;
  /** Questions that are left for this turn, and whether that was not enough for what is being planned. */
  #questions = 0;
  #isPutOff = false;
  /** Prefixes whose next hops are to be asked about first: held. */
  readonly #late = new IntQueue();
  /** 1: among them. */
  #lateFlags = new Uint8Array(64);
  /** Next prefix to be planned anew; -1: none. */
  #next = DONE;
  /** Something has changed after the walk had begun: once more. */
  #isAgain = false;
  /** The first walk is over: later, prefixes are as they were until it comes to them. */
  #isComplete = false;
  #pools = new PrefixRanges([]);
  #services = new PrefixRanges([]);
  #inputs: PlanInputs | undefined;
  /** Of these. */
  #context: PlanContext | undefined;

  /** @param states is told what is wanted */
  constructor(rib: LocRib, states: RouteStates, { kernel, isTaken, onAnswer }: RoutePlanParts) {
    this.#rib = rib;
    this.#states = states;
    this.#kernel = kernel;
    this.#isTaken = isTaken;
    this.#onAnswer = onAnswer;
  }

  /** Why some routes cannot be programmed, by the prefix's number. */
  get problems(): ReadonlyMap<number, string> {
    return this.#problems;
  }

  problemOf(id: number): string | undefined {
    return this.#problems.get(id);
  }

  /** Prefixes may still be planned by what was so before: planOn(). */
  get isPlanning(): boolean {
    return this.#next !== DONE;
  }

  /**
   * Nobody knows yet what is wanted of the prefix, or it may be another thing than what was: its route stays. It
   * is to be looked at again when it is planned, at the end of a walk, or by the next update().
   */
  isOpen(id: number): boolean {
    const isToCome = !this.#isComplete && id >= this.#next;
    return isToCome || this.#lateFlags[id] === 1 || this.#rib.isUndecided(id);
  }

  /** Everything is to be planned anew: planOn(). */
  configure(inputs: PlanInputs): void {
    this.#inputs = inputs;
    this.#context = this.#contextOf(inputs);
    this.#pools = new PrefixRanges(inputs.pools.map(({ prefix }) => prefix));
    this.#services = new PrefixRanges(inputs.services);
    this.#cutOffs.configure(inputs.aggregates);
    if (this.#cutOffs.hasAggregates) this.askAgain();
    this.#startAnew();
  }

  /** Peers have to be reached: that matters to the blackholes of aggregates. Whether there is something to be asked. */
  watch(peers: readonly Address[]): boolean {
    this.#peers = peers;
    if (this.#cutOffs.hasAggregates) this.askAgain();
    return this.#cutOffs.hasAggregates;
  }

  /** The kernel may reach next hops otherwise than before: askOn(). */
  askAgain(): void {
    this.#round.begin();
  }

  get isAsking(): boolean {
    return this.#round.isOpen;
  }

  /** Asks about some next hops. When all have been asked about, what has changed lets everything be planned anew. */
  askOn(): void {
    if (!this.#round.goOn((nextHop) => this.#askAbout(nextHop))) return;
    if (!this.isAsking) {
      this.#ways.roundIsOver();
      if (this.#cutOffs.roundIsOver()) this.#isOtherwise = true;
    }
    this.#followAnswers();
  }

  /**
   * Asks about some of the next hops that peers have told since, also where no route needs that. What is known of
   * one that had been told before may be over: nobody has asked about it while it was not.
   */
  askNew(): void {
    for (const address of this.#rib.attributes.hops.takeUnasked(QUESTIONS)) {
      if (!isLinkLocal(address)) this.#askAbout({ address, interfaceName: undefined });
    }
    if (!this.isAsking) this.#followAnswers();
  }

  /** Plans these prefixes anew; those through many new next hops, and of many with several, later. */
  update(ids: readonly number[]): void {
    this.#questions = QUESTIONS;
    this.#left = Math.max(AT_ONCE, ids.length);
    for (const id of ids) {
      if (this.#left > 0) this.#plan(id);
      else this.#putOff(id);
      this.#left--;
    }
  }

  /** Somebody else has got a route to the prefix, or has none any more. */
  takenOrFree(id: number): void {
    const route = this.#statics.get(id);
    if (route === undefined) this.update([id]);
    else this.#wantStatic(id, route);
  }

  /** Some prefixes are as they were, as too many next hops were new: planLate(). */
  get hasLate(): boolean {
    return this.#late.size > 0;
  }

  /** Plans up to `limit` of them, less where they take longer. */
  planLate(limit: number, onPlanned: (id: number) => void): void {
    this.#questions = QUESTIONS;
    this.#isPutOff = false;
    for (this.#left = limit; this.#left > 0 && this.hasLate && !this.#isPutOff; this.#left--) {
      const id = this.#late.shift();
      this.#lateFlags[id] = 0;
      this.#plan(id);
      onPlanned(id);
      this.#states.prefixes.release(id);
    }
  }

  /** Plans up to `limit` prefixes anew, as far as that is needed; less where they take longer. */
  planOn(limit: number): void {
    if (!this.isPlanning) return;
    this.#questions = QUESTIONS;
    const { prefixes } = this.#rib;
    let id = this.#next;
    for (this.#left = limit; this.#left > 0 && id < prefixes.limit; this.#left--, id++) {
      if (prefixes.has(id)) this.#plan(id);
    }
    this.#next = id < prefixes.limit ? id : DONE;
    if (!this.isPlanning) this.#isComplete = true;
    if (this.isPlanning || !this.#isAgain) return;
    this.#isAgain = false;
    this.#next = 0;
  }

  /**
   * A blackhole of an aggregate is all that the kernel finds there. It is on its way out, and says nothing about
   * whether the address is reached.
   */
  isHidden(address: Address): boolean {
    if (this.#cutOffs.aggregateOf(address) === undefined) return false;
    const blackhole = this.#blackholeOver(address);
    return blackhole !== undefined && !this.#isOwnBlock(blackhole);
  }

  #noteCutOff(address: Address, answer: Resolution | undefined): boolean {
    const aggregate = this.#cutOffs.aggregateOf(address);
    if (aggregate === undefined) return false;
    const blackhole = answer === undefined ? this.#blackholeOver(address) : undefined;
    // Of what is in a block here the aggregate decides nothing.
    const isHere = blackhole !== undefined && this.#isOwnBlock(blackhole);
    const length = this.#kernel.matchedLength(address) ?? -1;
    return this.#cutOffs.note(address, !isHere && length < aggregate.length);
  }

  /** The blackhole that the address is in, if no longer route of ours leads to it. */
  #blackholeOver({ family, value }: Address): Prefix | undefined {
    const { prefixes } = this.#states;
    for (let host = 0; host < addressBits(family); host++) {
      const bits = BigInt(host);
      const prefix = { family, value: (value >> bits) << bits, length: addressBits(family) - host };
      const id = prefixes.find(prefix);
      const target = id < 0 ? undefined : this.#states.actualOf(id);
      if (target !== undefined) return target.type === 'blackhole' ? prefix : undefined;
    }
    return undefined;
  }

  #isOwnBlock(prefix: Prefix): boolean {
    return this.#inputs?.ownBlocks.has(formatPrefix(prefix)) === true;
  }

  #askAbout(nextHop: NextHop): Resolution | undefined {
    const { address, interfaceName } = nextHop;
    const known = this.#ways.of(nextHop);
    const answer = this.#kernel.resolve(address, interfaceName);
    if (this.#noteCutOff(address, answer)) this.#isOtherwise = true;
    const isHidden = answer === undefined && this.isHidden(address);
    const resolution = isHidden ? known?.resolution : answer;
    this.#ways.set(nextHop, resolution);
    // Nothing has been planned by what nobody knew.
    if (known !== undefined && !sameResolution(known.resolution, resolution)) {
      this.#isOtherwise = true;
    }
    this.#rib.attributes.hops.noteAsked(address);
    // A link-local next hop comes and goes with its peer, and says nothing without the interface.
    if (!isLinkLocal(address) && !isHidden) this.#onAnswer(address, resolution);
    return resolution;
  }

  #followAnswers(): void {
    if (!this.#isOtherwise) return;
    this.#isOtherwise = false;
    this.#startAnew();
  }

  #startAnew(): void {
    this.#planned.clear();
    for (const id of this.#statics.keys()) {
      this.#states.want(id, undefined);
      this.#note(id, undefined);
      this.#states.prefixes.release(id);
    }
    this.#statics.clear();
    for (const each of this.#inputs?.statics ?? []) this.#planStatic(each);
    // A walk that always began anew might never end.
    this.#isAgain = this.#next > 0;
    if (!this.isPlanning) this.#next = 0;
  }

  #planStatic(route: StaticRoute): void {
    const id = this.#states.prefixes.intern(hostPrefix(route.address));
    this.#statics.set(id, route);
    this.#wantStatic(id, route);
  }

  #wantStatic(id: number, route: StaticRoute): void {
    const target = planStatic(route, (address) => this.#resolutionOf(address));
    const [address, gateway] = [route.address, route.gateway].map(formatAddress);
    const problem = `Cannot reach peer "${address}" by "${gateway}": that is no neighbour`;
    // Also what was wrong while it was a prefix like others is over.
    this.#want(
      id,
      target === undefined ? { kind: 'impossible', problem } : { kind: 'route', target },
    );
  }

  #plan(id: number): void {
    // What the operator has said about a peer's address is not overridden by what peers say.
    if (this.#statics.has(id) || this.#rib.isUndecided(id)) return;
    this.#isPutOff = false;
    const plan = this.#planOf(id);
    if (this.#isPutOff) return this.#putOff(id);
    this.#want(id, plan);
  }

  /** The kernel would prefer a route of ours to others' by its metric: there is none where they have one. */
  #want(id: number, plan: Plan): void {
    const isTaken = plan.kind === 'route' && this.#isTaken(id);
    const outcome: Plan = isTaken
      ? { kind: 'impossible', problem: describeTaken('add', this.#states.routeOf(id, plan.target)) }
      : plan;
    this.#states.want(id, outcome.kind === 'route' ? outcome.target : undefined);
    this.#note(id, outcome.kind === 'impossible' ? outcome.problem : undefined);
  }

  #putOff(id: number): void {
    this.#lateFlags = withRow(this.#lateFlags, id);
    if (this.#lateFlags[id] === 1) return;
    this.#lateFlags[id] = 1;
    this.#states.prefixes.retain(id);
    this.#late.push(id);
  }

  #note(id: number, problem: string | undefined): void {
    const isNoted = this.#problems.has(id);
    if (problem !== undefined) {
      if (!isNoted) this.#states.prefixes.retain(id);
      this.#problems.set(id, problem);
    } else if (isNoted) {
      this.#problems.delete(id);
      this.#states.prefixes.release(id);
    }
  }

  #planOf(id: number): Plan {
    const row = this.#rib.bestOf(id);
    if (row < 0 || this.#context === undefined || this.#isLeftOut(id, row)) return NOTHING;
    const key = this.#keyOf(id);
    const { attributes, paths } = this.#rib;
    const nextHop = attributes.nextHopOf(paths.attributesOf(row));
    const planned = key === undefined ? undefined : this.#planned.get(key);
    if (planned?.nextHop === nextHop) return planned.plan;
    const plan = this.#make(id, this.#context);
    // What is impossible names the prefix.
    if (key === undefined || plan.kind === 'impossible') {
      this.#left -= ALIKE - 1;
      return plan;
    }
    const shared: Plan =
      plan.kind === 'none' ? plan : { kind: 'route', target: this.#states.intern(plan.target) };
    this.#planned.set(key, { nextHop, plan: shared });
    return shared;
  }

  /** In a pool, and no route of any pool is ours. */
  #isLeftOut(id: number, best: number): boolean {
    const { programs } = this.#inputs ?? {};
    if (programs === undefined || programs.noEncapsulation || programs.ipip) return false;
    const isPeers = this.#rib.sourceOf(best).kind === 'peer';
    return isPeers && this.#pools.lastContaining(this.#rib.prefixes, id) >= 0;
  }

  /** Prefixes with the same number go the same way; undefined for those that have a plan of their own. */
  #keyOf(id: number): number | undefined {
    const { paths, prefixes, attributes } = this.#rib;
    const best = this.#rib.bestOf(id);
    if (best < 0 || this.#rib.sourceOf(best).kind === 'local') return undefined;
    for (let row = paths.firstOf(id); row >= 0; row = paths.nextOf(row)) {
      if (row !== best && paths.is(row, PathFlag.Used)) return undefined;
    }
    const isService = this.#services.lastContaining(prefixes, id) >= 0;
    const pool = this.#pools.lastContaining(prefixes, id) + 1;
    const kind = (pool * 2 + Number(isService)) * 2 + Number(prefixes.familyOf(id) === 6);
    const source = paths.sourceOf(best);
    if (kind >= KINDS || source >= SOURCES) return undefined;
    return (attributes.nextHopNumberOf(paths.attributesOf(best)) * SOURCES + source) * KINDS + kind;
  }

  #make(id: number, context: PlanContext): Plan {
    const entry = this.#rib.entryOf(id);
    if (entry === undefined) return NOTHING;
    if (entry.best?.source.kind === 'local' && entry.best.source.isAggregate && this.#isToBeAsked) {
      this.#isPutOff = true;
      return NOTHING;
    }
    return planRoute(entry, context);
  }

  #contextOf({
    pools,
    subnet,
    ownBlocks,
    services,
    tunnelIndex,
    programs,
  }: PlanInputs): PlanContext {
    return {
      pools: pools.map(({ prefix, pool }) => planPool(prefix, pool, programs)),
      subnet,
      ownBlocks,
      services,
      tunnelIndex,
      resolve: (address, interfaceName) => this.#tryResolve(address, interfaceName),
      cutOffBy: (aggregate) => this.#cutOffs.in(aggregate),
    };
  }

  /** Undefined also when too much has been asked in this turn: then the route is put off. */
  #tryResolve(address: Address, interfaceName?: string): Resolution | undefined {
    const isKnown = this.#ways.of({ address, interfaceName }) !== undefined;
    if (!isKnown && this.#questions === 0) this.#isPutOff = true;
    else if (!isKnown) this.#questions -= 1;
    return this.#isPutOff ? undefined : this.#resolutionOf(address, interfaceName);
  }

  /** A blackhole may cut off some that nobody has asked about yet. */
  get #isToBeAsked(): boolean {
    return this.isAsking || this.#rib.attributes.hops.hasUnasked;
  }

  /** The kernel is asked about next hops not seen before. */
  #resolutionOf(address: Address, interfaceName?: string): Resolution | undefined {
    const nextHop = { address, interfaceName };
    const known = this.#ways.of(nextHop);
    return known === undefined ? this.#askAbout(nextHop) : known.resolution;
  }

  #begin(): Iterable<NextHop> {
    this.#ways.roundBegins();
    this.#cutOffs.roundBegins();
    return this.#usedNextHops();
  }

  /** Some may be answered twice, and those that come and go meanwhile. */
  *#usedNextHops(): Generator<NextHop, void, undefined> {
    const { attributes, paths } = this.#rib;
    let links: ReadonlySet<string> | undefined;
    for (const { gateway } of this.#inputs?.statics ?? []) {
      yield { address: gateway, interfaceName: undefined };
    }
    for (const address of this.#peers) {
      const isInside = this.#cutOffs.aggregateOf(address) !== undefined;
      if (isInside) yield { address, interfaceName: undefined };
    }
    for (const address of attributes.nextHops()) {
      if (address.value === 0n) continue;
      if (isLinkLocal(address)) {
        links ??= paths.interfaces();
        for (const interfaceName of links) yield { address, interfaceName };
      } else {
        yield { address, interfaceName: undefined };
      }
    }
  }
}

const NOTHING: Plan = { kind: 'none' };

/** Texts of the own blocks, for PlanInputs. */
export function blockTexts(prefixes: Iterable<Prefix>): ReadonlySet<string> {
  return new Set(Array.from(prefixes, formatPrefix));
}

function sameResolution(a: Resolution | undefined, b: Resolution | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  const [hops, others] = [hopsOf(a), hopsOf(b)];
  return hops.length === others.length && hops.every((hop, index) => sameHop(hop, others[index]));
}

function sameHop(a: WayHop, b: WayHop | undefined): boolean {
  return (
    a.interfaceIndex === b?.interfaceIndex &&
    a.gateway?.value === b.gateway?.value &&
    a.onlink === b.onlink
  );
}
