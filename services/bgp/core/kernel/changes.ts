// What to do so that the kernel's routes become those that are wanted. Never flushes: after a restart
// a route that is there stays until it is known that nobody wants it.
import type { Address } from '@calico/ip';
import type { PrefixKey } from '../rib/prefix_key.ts';
import { type KernelRoute, sameKernelRoute } from './types.ts';

export type RouteChange =
  /** Fails when another owner has a route to the prefix: it is not overwritten. */
  | { readonly kind: 'add'; readonly key: PrefixKey; readonly route: KernelRoute }
  | { readonly kind: 'replace'; readonly key: PrefixKey; readonly route: KernelRoute }
  | { readonly kind: 'delete'; readonly key: PrefixKey; readonly route: KernelRoute };

/** What may be taken away from the kernel at this time. */
export type Removal = {
  /** Whether own blocks are known completely. */
  readonly blackholes: boolean;
  /** Whether everything that goes through this gateway is known. */
  readonly via: (gateway: Address) => boolean;
};

export const REMOVE_ANYTHING: Removal = { blackholes: true, via: () => true };

export function routeChanges(
  wanted: ReadonlyMap<PrefixKey, KernelRoute>,
  actual: ReadonlyMap<PrefixKey, KernelRoute>,
  removal: Removal,
): RouteChange[] {
  const removals: RouteChange[] = [];
  for (const [key, route] of actual) {
    if (!wanted.has(key) && mayLose(route, undefined, removal)) {
      removals.push({ kind: 'delete', key, route });
    }
  }
  const additions: RouteChange[] = [];
  for (const [key, route] of wanted) {
    const found = actual.get(key);
    if (found === undefined) additions.push({ kind: 'add', key, route });
    else if (!sameKernelRoute(found, route) && mayLose(found, route, removal)) {
      additions.push({ kind: 'replace', key, route });
    }
  }
  // A route that becomes more or less specific exists twice for a moment, never not at all.
  return [...additions, ...removals];
}

function mayLose(
  { type, hops }: KernelRoute,
  next: KernelRoute | undefined,
  removal: Removal,
): boolean {
  if (type === 'blackhole') return next !== undefined || removal.blackholes;
  return hops.every(({ gateway }) => {
    const stays = next?.hops.some((hop) => hop.gateway?.value === gateway?.value);
    return stays === true || gateway === undefined || removal.via(gateway);
  });
}
