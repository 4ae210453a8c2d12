// Tells repairs from wanted changes: a repair is needed although nothing that we want has changed.
import {
  type Change,
  describeChange,
  sameFdb,
  sameNeighbour,
  sameRoute,
  sameTunnel,
} from './changes.ts';
import {
  addressKey,
  type Dataplane,
  fdbKey,
  neighbourKey,
  type OwnedRoute,
  routeKey,
  type TunnelDevice,
} from './dataplane.ts';

/**
 * One sentence for each change that undoes what someone else did. `before` is the desired state
 * that was last in the kernel; without one (first pass after a start) nothing counts as drift.
 */
export function describeDrift(changes: readonly Change[], before: Dataplane | undefined): string[] {
  if (before === undefined) return [];
  return changes.flatMap((change) => driftOf(change, before));
}

function driftOf(change: Change, before: Dataplane): string[] {
  const what = describeChange(change);
  const changed = [`repaired: ${what} had been removed or changed by another`];
  const foreign = [`removed: ${what} had been added by another`];
  switch (change.kind) {
    case 'route-put':
      return isSame(before.routes.get(routeKey(change.route)), change.route, sameRoute)
        ? changed
        : [];
    case 'route-remove':
      return wasWanted(before, change.route) ? [] : foreign;
    case 'neighbour-put':
      return isSame(
        before.neighbours.get(neighbourKey(change.neighbour)),
        change.neighbour,
        sameNeighbour,
      )
        ? changed
        : [];
    case 'neighbour-remove':
      return before.neighbours.has(neighbourKey(change.neighbour)) ? [] : foreign;
    case 'fdb-put':
      return isSame(before.fdb.get(fdbKey(change.entry)), change.entry, sameFdb) ? changed : [];
    case 'fdb-remove':
      return before.fdb.has(fdbKey(change.entry)) ? [] : foreign;
    case 'tunnel-create':
    case 'tunnel-set':
      return wasTunnel(before, change.tunnel) ? changed : [];
    case 'address-put':
      return before.tunnels.get(change.device)?.address?.value === change.address.value ||
        before.podAddresses.has(addressKey(change))
        ? changed
        : [];
    case 'settings-put':
      return before.podDevices.has(change.device) ? changed : [];
    case 'address-remove':
      return before.podDevices.has(change.device) && !before.podAddresses.has(addressKey(change))
        ? foreign
        : [];
    case 'tunnel-remove':
    case 'pod-device-remove':
      return [];
    default:
      return change satisfies never;
  }
}

/** A route that goes with the removal of its pod was wanted until now. */
function wasWanted(before: Dataplane, route: OwnedRoute): boolean {
  return before.routes.has(routeKey(route));
}

/** The address inside is compared by itself: it comes later than the device. */
function wasTunnel(before: Dataplane, tunnel: TunnelDevice): boolean {
  const old = before.tunnels.get(tunnel.name);
  return old !== undefined && sameTunnel({ ...old, address: tunnel.address }, tunnel);
}

function isSame<T>(old: T | undefined, now: T, same: (a: T, b: T) => boolean): boolean {
  return old !== undefined && same(old, now);
}
