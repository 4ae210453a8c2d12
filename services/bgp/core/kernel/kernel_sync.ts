// Keeps the kernel's routes what the routing table wants. Reads back, compares, commits differences;
// whatever someone else changes is put right and reported.
import { formatAddress, formatPrefix, type Prefix } from '@calico/ip';
import type { KernelPort, RouteFailure } from '../../ports.ts';
import type { RouteNews } from '../host/host.ts';
import type { LocRib } from '../rib/loc_rib.ts';
import { type PrefixKey, prefixKey } from '../rib/prefix_key.ts';
import { REMOVE_ANYTHING, type Removal, type RouteChange, routeChanges } from './changes.ts';
import { type PlanInputs, RoutePlan } from './route_plan.ts';
import { type KernelRoute, sameKernelRoute } from './types.ts';

const TUNNEL = 'tunl0';

export type SyncReport = {
  /** Changes carried out. */
  readonly changed: number;
  /** Routes that someone else removed or altered, and that were put right. */
  readonly repaired: readonly string[];
};

export class KernelSync {
  readonly #kernel: KernelPort;
  readonly #rib: LocRib;
  readonly #plan: RoutePlan;
  /** What the kernel holds, as last read and changed since. */
  #actual = new Map<PrefixKey, KernelRoute>();
  readonly #failures = new Map<PrefixKey, string>();
  #inputs: Omit<PlanInputs, 'tunnelIndex'> | undefined;
  #tunnelIndex: number | undefined;
  #removal: Removal = { blackholes: false, via: () => false };

  constructor(kernel: KernelPort, rib: LocRib) {
    this.#kernel = kernel;
    this.#rib = rib;
    this.#plan = new RoutePlan(rib);
  }

  /** Routes found at start: an earlier process of this service left them. */
  readInitial(): readonly KernelRoute[] {
    this.#read();
    return [...this.#actual.values()];
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
    const key = prefixKey(prefix);
    const route = this.#actual.get(key);
    return {
      route: route === undefined ? undefined : describeRoute(route),
      problem: this.#failures.get(key) ?? this.#plan.problemOf(key),
    };
  }

  get isDone(): boolean {
    return this.#failures.size === 0;
  }

  get routeCount(): number {
    return this.#actual.size;
  }

  configure(inputs: Omit<PlanInputs, 'tunnelIndex'>): SyncReport {
    this.#inputs = inputs;
    this.#tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    this.#plan.configure({ ...inputs, tunnelIndex: this.#tunnelIndex });
    this.#plan.resolve((...nextHop) => this.#kernel.resolve(...nextHop));
    return this.#commit(this.#actual);
  }

  /** Best paths changed. */
  update({ prefixes: ids }: RouteNews): SyncReport {
    const prefixes = ids.map((id) => this.#rib.prefixes.prefixOf(id));
    const keys = this.#plan.update(prefixes, (...nextHop) => this.#kernel.resolve(...nextHop));
    const part = new Map<PrefixKey, KernelRoute>();
    const wanted = new Map<PrefixKey, KernelRoute>();
    for (const key of keys) {
      const actual = this.#actual.get(key);
      const route = this.#plan.wanted.get(key);
      if (actual !== undefined) part.set(key, actual);
      if (route !== undefined) wanted.set(key, route);
      this.#failures.delete(key);
    }
    return { changed: this.#apply(routeChanges(wanted, part, this.#removal)), repaired: [] };
  }

  /** What may be removed has become more. */
  allowRemoval(removal: Removal): SyncReport {
    this.#removal = removal;
    return this.#commit(this.#actual);
  }

  /** Reads the kernel and puts it right: after changes by others, and now and then anyway. */
  resync(): SyncReport {
    const tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    if (tunnelIndex !== this.#tunnelIndex && this.#inputs !== undefined) {
      this.#tunnelIndex = tunnelIndex;
      this.#plan.configure({ ...this.#inputs, tunnelIndex });
    }
    this.#plan.resolve((...nextHop) => this.#kernel.resolve(...nextHop));
    const believed = this.#actual;
    this.#read();
    return this.#commit(believed);
  }

  /** Asks the kernel again how it reaches the next hops. */
  followWays(): SyncReport {
    const tunnelIndex = this.#kernel.interfaceIndex(TUNNEL);
    if (tunnelIndex !== this.#tunnelIndex) return this.resync();
    this.#plan.resolve((...nextHop) => this.#kernel.resolve(...nextHop));
    return this.#commit(this.#actual);
  }

  /** Whether what the monitor saw is not what this service did last. */
  contradicts(action: 'new' | 'deleted', route: KernelRoute): boolean {
    const held = this.#actual.get(prefixKey(route.prefix));
    if (action === 'deleted') return held !== undefined && sameKernelRoute(held, route);
    return held === undefined || !sameKernelRoute(held, route);
  }

  #read(): void {
    this.#actual = new Map(this.#kernel.list().map((route) => [prefixKey(route.prefix), route]));
  }

  /** @param believed what the kernel held before others changed it */
  #commit(believed: ReadonlyMap<PrefixKey, KernelRoute>): SyncReport {
    const changes = routeChanges(this.#plan.wanted, this.#actual, this.#removal);
    const repaired = changes.flatMap(({ key, kind, route }) => {
      const before = believed.get(key);
      const isRepair = kind !== 'delete' && before !== undefined && sameKernelRoute(before, route);
      return isRepair ? [describeRoute(route)] : [];
    });
    this.#failures.clear();
    return { changed: this.#apply(changes), repaired };
  }

  /** How many were carried out. */
  #apply(changes: readonly RouteChange[]): number {
    if (changes.length === 0) return 0;
    const failures = new Map(this.#kernel.apply(changes).map((each) => [each.change, each]));
    for (const change of changes) {
      const failure = failures.get(change);
      // Already gone is what was wanted.
      if (failure !== undefined && !(change.kind === 'delete' && failure.code === 'ESRCH')) {
        this.#failures.set(change.key, describeFailure(failure));
      } else if (change.kind === 'delete') {
        this.#actual.delete(change.key);
      } else {
        this.#actual.set(change.key, change.route);
      }
    }
    return changes.length - failures.size;
  }
}

export { REMOVE_ANYTHING };

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
