// Keeps the kernel's routes what the routing table wants. Reads back, compares, commits differences;
// whatever someone else changes is put right and reported.
import { formatAddress, formatPrefix, type Prefix } from '@calico/ip';
import type { KernelPort, RouteFailure } from '../../ports.ts';
import type { RouteNews } from '../host/host.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { type Removal, type RouteChange, routeChanges } from './changes.ts';
import { type PlanInputs, RoutePlan } from './route_plan.ts';
import { RouteStates } from './route_states.ts';
import { type KernelRoute, type KernelTarget, sameTarget } from './types.ts';

const TUNNEL = 'tunl0';

export type SyncReport = {
  /** Changes carried out. */
  readonly changed: number;
  /** Routes that someone else removed or altered, and that were put right. */
  readonly repaired: readonly string[];
};

export class KernelSync {
  readonly #kernel: KernelPort;
  readonly #states: RouteStates;
  readonly #plan: RoutePlan;
  readonly #failures = new Map<number, string>();
  /** Prefixes whose routes go as soon as the rest of a lost peer's are known: held. */
  readonly #leaving = new Set<number>();
  #inputs: Omit<PlanInputs, 'tunnelIndex'> | undefined;
  #tunnelIndex: number | undefined;
  #removal: Removal = { blackholes: false, via: () => false };

  constructor(kernel: KernelPort, rib: LocRib) {
    this.#kernel = kernel;
    this.#states = new RouteStates(rib.prefixes);
    this.#plan = new RoutePlan(rib, this.#states);
  }

  /** Routes found at start: an earlier process of this service left them. */
  readInitial(): readonly KernelRoute[] {
    const routes = this.#kernel.list();
    this.#take(routes);
    return routes;
  }

  /** Wanted routes that are not in the kernel, and why. */
  get problems(): readonly string[] {
    return [...this.#plan.problems, ...this.#failures.values()];
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
      problem: this.#failures.get(id) ?? this.#plan.problemOf(id),
    };
  }

  get isDone(): boolean {
    return this.#failures.size === 0;
  }

  get routeCount(): number {
    return this.#states.size;
  }

  configure(inputs: Omit<PlanInputs, 'tunnelIndex'>): SyncReport {
    this.#inputs = inputs;
    this.#tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    this.#plan.configure({ ...inputs, tunnelIndex: this.#tunnelIndex });
    this.#plan.resolve((...nextHop) => this.#kernel.resolve(...nextHop));
    return this.#commit();
  }

  /** Best paths changed. */
  update({ prefixes: ids, isLosing }: RouteNews): SyncReport {
    this.#plan.update(ids, (...nextHop) => this.#kernel.resolve(...nextHop));
    for (const id of ids) this.#forgive(id);
    const { additions, removals } = routeChanges(this.#states, ids, this.#removal);
    let changed = this.#apply(additions);
    // One message may take them all out when they are the last that go through a next hop.
    if (isLosing || this.#leaving.size > 0) for (const { id } of removals) this.#leave(id);
    else changed += this.#apply(removals);
    if (!isLosing) changed += this.#applyLeaving();
    return { changed, repaired: [] };
  }

  /** What may be removed has become more. */
  allowRemoval(removal: Removal): SyncReport {
    this.#removal = removal;
    return this.#commit();
  }

  /** Reads the kernel and puts it right: after changes by others, and now and then anyway. */
  resync(): SyncReport {
    const tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    if (tunnelIndex !== this.#tunnelIndex && this.#inputs !== undefined) {
      this.#tunnelIndex = tunnelIndex;
      this.#plan.configure({ ...this.#inputs, tunnelIndex });
    }
    this.#plan.resolve((...nextHop) => this.#kernel.resolve(...nextHop));
    const lost = this.#take(this.#kernel.list());
    return this.#commit(lost);
  }

  /** Asks the kernel again how it reaches the next hops. */
  followWays(): SyncReport {
    const tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    if (tunnelIndex !== this.#tunnelIndex) return this.resync();
    this.#plan.resolve((...nextHop) => this.#kernel.resolve(...nextHop));
    return this.#commit();
  }

  /** Whether what the monitor saw is not what this service did last. */
  contradicts(action: 'new' | 'deleted', route: KernelRoute): boolean {
    const id = this.#states.prefixes.find(route.prefix);
    const held = id < 0 ? undefined : this.#states.actualOf(id);
    const isSame = held !== undefined && sameTarget(held, route);
    return action === 'deleted' ? isSame : !isSame;
  }

  /** Takes over what the kernel holds. Answers what was believed of prefixes that others have changed. */
  #take(routes: readonly KernelRoute[]): ReadonlyMap<number, KernelTarget> {
    const states = this.#states;
    const changed = new Map<number, KernelTarget>();
    const seen = new Uint8Array(states.prefixes.limit + routes.length);
    for (const route of routes) {
      const id = states.prefixes.intern(route.prefix);
      seen[id] = 1;
      const before = states.actualOf(id);
      if (before === undefined || !sameTarget(before, route)) {
        if (before !== undefined) changed.set(id, before);
        states.found(id, route);
      }
      states.prefixes.release(id);
    }
    for (let id = 0; id < states.limit; id++) {
      const before = states.actualOf(id);
      if (before === undefined || seen[id] === 1) continue;
      changed.set(id, before);
      states.found(id, undefined);
    }
    return changed;
  }

  /** @param lost what the kernel held of prefixes before others changed it */
  #commit(lost: ReadonlyMap<number, KernelTarget> = new Map()): SyncReport {
    const { additions, removals } = routeChanges(this.#states, this.#all(), this.#removal);
    const repaired = additions.flatMap(({ id, route }) => {
      const before = lost.get(id);
      return before !== undefined && sameTarget(before, route) ? [describeRoute(route)] : [];
    });
    for (const id of this.#failures.keys()) this.#forgive(id);
    const changed = this.#apply(additions) + this.#apply(removals);
    return { changed, repaired };
  }

  *#all(): Generator<number, void, undefined> {
    for (let id = 0; id < this.#states.limit; id++) yield id;
  }

  #leave(id: number): void {
    if (this.#leaving.has(id)) return;
    this.#leaving.add(id);
    this.#states.prefixes.retain(id);
  }

  #applyLeaving(): number {
    if (this.#leaving.size === 0) return 0;
    const ids = [...this.#leaving];
    this.#leaving.clear();
    const { removals } = routeChanges(this.#states, ids, this.#removal);
    const changed = this.#apply(removals);
    for (const id of ids) this.#states.prefixes.release(id);
    return changed;
  }

  #forgive(id: number): void {
    if (this.#failures.delete(id)) this.#states.prefixes.release(id);
  }

  /** How many were carried out. */
  #apply(changes: readonly RouteChange[]): number {
    if (changes.length === 0) return 0;
    const failures = new Map(this.#kernel.apply(changes).map((each) => [each.change, each]));
    for (const change of changes) {
      const { kind, id, route } = change;
      const failure = failures.get(change);
      // Already gone is what was wanted.
      if (failure !== undefined && !(kind === 'delete' && failure.code === 'ESRCH')) {
        if (!this.#failures.has(id)) this.#states.prefixes.retain(id);
        this.#failures.set(id, describeFailure(failure));
      } else {
        this.#states.found(id, kind === 'delete' ? undefined : route);
      }
    }
    return changes.length - failures.size;
  }
}

export function describeRoute({ prefix, type, hops }: KernelRoute): string {
  if (type === 'blackhole') return `blackhole ${formatPrefix(prefix)}`;
  const vias = hops.map(({ gateway }) => (gateway ? ` via ${formatAddress(gateway)}` : ''));
  return `${formatPrefix(prefix)}${vias.join(',')}`;
}

function describeFailure({ change, code, message }: RouteFailure): string {
  const text = `Cannot ${change.kind} route "${describeRoute(change.route)}"`;
  if (code === 'EEXIST') return `${text}: another owner has a route to that prefix`;
  return `${text}: ${code}${message === '' ? '' : `, ${message}`}`;
}
