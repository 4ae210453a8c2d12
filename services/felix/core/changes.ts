// The changes that turn what the kernel holds into what is wanted, in an order that the kernel
// accepts: devices, addresses, neighbours before the routes that use them; removals last.
import { type Address, formatAddress, sameAddress, samePrefix } from '@calico/ip';
import {
  type Dataplane,
  describeRoute,
  type FoundDataplane,
  type FoundTunnel,
  type OwnedAddress,
  type OwnedFdbEntry,
  type OwnedNeighbour,
  type OwnedRoute,
  POD_DEVICE_PREFIX,
  type PodDeviceSettings,
  type TunnelDevice,
} from './dataplane.ts';

export type Change =
  /** Created, or created anew when an attribute differs that cannot be changed in place. */
  | { readonly kind: 'tunnel-create'; readonly tunnel: TunnelDevice; readonly replaces: boolean }
  /** MTU, MAC, alias and the up flag. */
  | { readonly kind: 'tunnel-set'; readonly tunnel: TunnelDevice }
  | { readonly kind: 'tunnel-remove'; readonly device: string }
  | { readonly kind: 'address-put'; readonly device: string; readonly address: Address }
  | { readonly kind: 'address-remove'; readonly device: string; readonly address: Address }
  | {
      readonly kind: 'settings-put';
      readonly device: string;
      readonly settings: PodDeviceSettings;
    }
  | { readonly kind: 'pod-device-remove'; readonly device: string }
  | { readonly kind: 'neighbour-put'; readonly neighbour: OwnedNeighbour }
  | { readonly kind: 'neighbour-remove'; readonly neighbour: OwnedNeighbour }
  | { readonly kind: 'fdb-put'; readonly entry: OwnedFdbEntry }
  | { readonly kind: 'fdb-remove'; readonly entry: OwnedFdbEntry }
  | { readonly kind: 'route-put'; readonly route: OwnedRoute }
  | { readonly kind: 'route-remove'; readonly route: OwnedRoute };

/**
 * Pure. `prune` allows removals: only when the desired state is known to be complete. A route of a
 * pod whose device does not exist is left out: the device is made by the workload's own repair.
 */
export function planChanges(
  desired: Dataplane,
  found: FoundDataplane,
  options: { readonly prune: boolean },
): Change[] {
  const changes: Change[] = [];
  for (const tunnel of desired.tunnels.values()) {
    changes.push(...tunnelChanges(tunnel, found.tunnels.get(tunnel.name)));
  }
  for (const [device, settings] of desired.podDevices) {
    const actual = found.podDevices.get(device);
    if (actual !== undefined && !sameSettings(settings, actual)) {
      changes.push({ kind: 'settings-put', device, settings });
    }
  }
  for (const { device, address } of missing(desired.podAddresses, found.podAddresses, sameOwned)) {
    if (found.podDevices.has(device)) changes.push({ kind: 'address-put', device, address });
  }
  for (const neighbour of missing(desired.neighbours, found.neighbours, sameNeighbour)) {
    changes.push({ kind: 'neighbour-put', neighbour });
  }
  for (const entry of missing(desired.fdb, found.fdb, sameFdb)) {
    changes.push({ kind: 'fdb-put', entry });
  }
  for (const route of missing(desired.routes, found.routes, sameRoute)) {
    const isPodRoute = route.device.startsWith(POD_DEVICE_PREFIX);
    if (isPodRoute && !found.podDevices.has(route.device)) continue;
    changes.push({ kind: 'route-put', route });
  }
  return options.prune ? [...changes, ...removals(desired, found)] : changes;
}

function removals(desired: Dataplane, found: FoundDataplane): Change[] {
  const changes: Change[] = [];
  for (const route of unwanted(desired.routes, found.routes)) {
    changes.push({ kind: 'route-remove', route });
  }
  for (const entry of unwanted(desired.fdb, found.fdb)) changes.push({ kind: 'fdb-remove', entry });
  for (const neighbour of unwanted(desired.neighbours, found.neighbours)) {
    changes.push({ kind: 'neighbour-remove', neighbour });
  }
  for (const [name, tunnel] of found.tunnels) {
    const wanted = desired.tunnels.get(name);
    if (wanted === undefined) {
      if (!tunnel.isOurs) continue;
      for (const address of tunnel.vxlan === undefined ? tunnel.addresses : []) {
        changes.push({ kind: 'address-remove', device: name, address });
      }
      // Last: tunl0 stays, and is nobody's from then on.
      changes.push({ kind: 'tunnel-remove', device: name });
      continue;
    }
    for (const address of tunnel.addresses) {
      if (wanted.address !== undefined && !sameAddress(wanted.address, address)) {
        changes.push({ kind: 'address-remove', device: name, address });
      }
    }
  }
  for (const { device, address } of unwanted(desired.podAddresses, found.podAddresses)) {
    if (!desired.podDevices.has(device)) continue;
    changes.push({ kind: 'address-remove', device, address });
  }
  for (const device of found.podDevices.keys()) {
    if (!desired.podDevices.has(device)) changes.push({ kind: 'pod-device-remove', device });
  }
  return changes;
}

function tunnelChanges(tunnel: TunnelDevice, found: FoundTunnel | undefined): Change[] {
  const changes: Change[] = [];
  if (found === undefined || !sameTunnelIdentity(tunnel, found)) {
    changes.push({ kind: 'tunnel-create', tunnel, replaces: found !== undefined });
  } else if (
    !found.up ||
    !found.isOurs ||
    found.mtu !== tunnel.mtu ||
    (tunnel.vxlan !== undefined && found.vxlan?.mac !== tunnel.vxlan.mac)
  ) {
    changes.push({ kind: 'tunnel-set', tunnel });
  }
  const { address } = tunnel;
  const isNew = changes[0]?.kind === 'tunnel-create';
  const hasAddress =
    address !== undefined && found?.addresses.some((other) => sameAddress(other, address));
  if (address !== undefined && (isNew || hasAddress !== true)) {
    changes.push({ kind: 'address-put', device: tunnel.name, address });
  }
  return changes;
}

/** What the kernel refuses to change on a live VXLAN device. */
function sameTunnelIdentity(tunnel: TunnelDevice, found: FoundTunnel): boolean {
  if (tunnel.vxlan === undefined || found.vxlan === undefined) {
    return tunnel.vxlan === undefined && found.vxlan === undefined;
  }
  const { vni, port, local, parent } = tunnel.vxlan;
  return (
    found.vxlan.vni === vni &&
    found.vxlan.port === port &&
    found.vxlan.parent === parent &&
    found.vxlan.local !== undefined &&
    sameAddress(found.vxlan.local, local) &&
    !found.vxlan.learning
  );
}

function missing<T>(
  desired: ReadonlyMap<string, T>,
  found: ReadonlyMap<string, T>,
  same: (a: T, b: T) => boolean,
): T[] {
  const result: T[] = [];
  for (const [key, value] of desired) {
    const actual = found.get(key);
    if (actual === value) continue;
    if (actual === undefined || !same(value, actual)) result.push(value);
  }
  return result;
}

function unwanted<T>(desired: ReadonlyMap<string, T>, found: ReadonlyMap<string, T>): T[] {
  const result: T[] = [];
  for (const [key, value] of found) if (!desired.has(key)) result.push(value);
  return result;
}

export function sameRoute(a: OwnedRoute, b: OwnedRoute): boolean {
  return (
    samePrefix(a.destination, b.destination) &&
    a.device === b.device &&
    sameOptionalAddress(a.gateway, b.gateway) &&
    a.onlink === b.onlink &&
    a.protocol === b.protocol &&
    a.scope === b.scope &&
    a.metric === b.metric
  );
}

export function sameNeighbour(a: OwnedNeighbour, b: OwnedNeighbour): boolean {
  return a.device === b.device && a.mac === b.mac && sameAddress(a.address, b.address);
}

export function sameFdb(a: OwnedFdbEntry, b: OwnedFdbEntry): boolean {
  return a.device === b.device && a.mac === b.mac && sameAddress(a.destination, b.destination);
}

/** By their keys. */
const sameOwned = (_a: OwnedAddress, _b: OwnedAddress): boolean => true;

function sameSettings(a: PodDeviceSettings, b: PodDeviceSettings): boolean {
  return (
    a.up === b.up &&
    a.proxyArp === b.proxyArp &&
    a.forwarding === b.forwarding &&
    a.reversePathFilter === b.reversePathFilter
  );
}

/** Whether two desired states ask for the same. */
export function sameDataplane(a: Dataplane, b: Dataplane): boolean {
  return (
    sameMap(a.tunnels, b.tunnels, sameTunnel) &&
    sameMap(a.routes, b.routes, sameRoute) &&
    sameMap(a.neighbours, b.neighbours, sameNeighbour) &&
    sameMap(a.fdb, b.fdb, sameFdb) &&
    sameMap(a.podDevices, b.podDevices, sameSettings) &&
    sameMap(a.podAddresses, b.podAddresses, sameOwned)
  );
}

function sameMap<T>(
  a: ReadonlyMap<string, T>,
  b: ReadonlyMap<string, T>,
  same: (a: T, b: T) => boolean,
): boolean {
  return a === b || (a.size === b.size && missing(a, b, same).length === 0);
}

export function sameTunnel(a: TunnelDevice, b: TunnelDevice): boolean {
  if (a.name !== b.name || a.mtu !== b.mtu || !sameOptionalAddress(a.address, b.address)) {
    return false;
  }
  if (a.vxlan === undefined || b.vxlan === undefined) return a.vxlan === b.vxlan;
  return (
    a.vxlan.vni === b.vxlan.vni &&
    a.vxlan.port === b.vxlan.port &&
    a.vxlan.parent === b.vxlan.parent &&
    a.vxlan.mac === b.vxlan.mac &&
    sameAddress(a.vxlan.local, b.vxlan.local)
  );
}

function sameOptionalAddress(a: Address | undefined, b: Address | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameAddress(a, b);
}

/** For people: "route 10.0.0.1/32 dev cali1" and the like. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case 'tunnel-create':
    case 'tunnel-set':
      return `device ${change.tunnel.name}`;
    case 'tunnel-remove':
    case 'pod-device-remove':
      return `device ${change.device}`;
    case 'settings-put':
      return `settings of device ${change.device}`;
    case 'address-put':
    case 'address-remove':
      return `address ${formatAddress(change.address)} of device ${change.device}`;
    case 'neighbour-put':
    case 'neighbour-remove':
      return `neighbour ${formatAddress(change.neighbour.address)} dev ${change.neighbour.device}`;
    case 'fdb-put':
    case 'fdb-remove':
      return `forwarding entry ${change.entry.mac} dev ${change.entry.device}`;
    case 'route-put':
    case 'route-remove':
      return describeRoute(change.route);
    default:
      return change satisfies never;
  }
}
