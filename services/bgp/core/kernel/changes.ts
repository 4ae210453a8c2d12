// What to do so that the kernel's routes become those that are wanted. Never flushes: after a restart
// a route that is there stays until it is known that nobody wants it.
import type { Address } from '@calico/ip';
import type { RouteStates } from './route_states.ts';
import type { KernelRoute, KernelTarget } from './types.ts';

export type RouteChange = {
  /**
   * `add` fails when another owner has a route to the prefix: it is not overwritten. `replace` is for
   * routes that were seen to be ours.
   */
  readonly kind: 'add' | 'replace' | 'delete';
  /** Number of the prefix. */
  readonly id: number;
  readonly route: KernelRoute;
};

/** What may be taken away from the kernel at this time. */
export type Removal = {
  /** Whether own blocks are known completely. */
  readonly blackholes: boolean;
  /** Whether everything that goes through this gateway is known. */
  readonly via: (gateway: Address) => boolean;
};

export const REMOVE_ANYTHING: Removal = { blackholes: true, via: () => true };

export type RouteChanges = {
  readonly additions: readonly RouteChange[];
  readonly removals: readonly RouteChange[];
};

/** @param ids prefixes that are looked at */
export function routeChanges(
  states: RouteStates,
  ids: Iterable<number>,
  removal: Removal,
): RouteChanges {
  const additions: RouteChange[] = [];
  const removals: RouteChange[] = [];
  for (const id of ids) {
    if (states.isRight(id)) continue;
    const found = states.actualOf(id);
    const target = states.wantedOf(id);
    if (target === undefined) {
      if (found === undefined || !mayLose(found, undefined, removal)) continue;
      removals.push({ kind: 'delete', id, route: states.routeOf(id, found) });
    } else if (found === undefined) {
      additions.push({ kind: 'add', id, route: states.routeOf(id, target) });
    } else if (mayLose(found, target, removal)) {
      additions.push({ kind: 'replace', id, route: states.routeOf(id, target) });
    }
  }
  return { additions, removals };
}

function mayLose(
  { type, hops }: KernelTarget,
  next: KernelTarget | undefined,
  removal: Removal,
): boolean {
  if (type === 'blackhole') return next !== undefined || removal.blackholes;
  return hops.every(({ gateway }) => {
    const stays = next?.hops.some((hop) => hop.gateway?.value === gateway?.value);
    return stays === true || gateway === undefined || removal.via(gateway);
  });
}
