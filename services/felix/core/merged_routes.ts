// Fewer routes: what goes to the same next hop in the same way is merged into shorter prefixes, which
// cover exactly the same addresses.
import { aggregate, formatAddress } from '@calico/ip';
import { type OwnedRoute, routeKey } from './dataplane.ts';

/** By routeKey(), in the order of their first members. */
export function mergeRoutes(routes: Iterable<OwnedRoute>): Map<string, OwnedRoute> {
  const merged = new Map<string, OwnedRoute>();
  for (const [, alike] of Map.groupBy(routes, wayOf)) {
    const [first] = alike;
    if (first === undefined) continue;
    for (const destination of aggregate(alike.map((route) => route.destination))) {
      const route = { ...first, destination };
      merged.set(routeKey(route), route);
    }
  }
  return merged;
}

/** Everything but the destination. */
function wayOf({ device, gateway, onlink, protocol, scope, metric }: OwnedRoute): string {
  const via = gateway === undefined ? '' : formatAddress(gateway);
  return [device, via, onlink, protocol, scope, metric].join(' ');
}
