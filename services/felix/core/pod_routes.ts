// What the host's side holds for the node's own pods.
import { parsePrefix } from '@calico/ip';
import type { FelixConfiguration, WorkloadEndpoint } from '@calico/model';
import {
  DEFAULT_METRIC,
  type OwnedRoute,
  POD_DEVICE_PREFIX,
  POD_DEVICE_SETTINGS,
  type PodDeviceSettings,
  PROTOCOL_BOOT,
  routeKey,
} from './dataplane.ts';
import { listChanges } from './policy/graph/list_changes.ts';

export type PodState = {
  readonly routes: ReadonlyMap<string, OwnedRoute>;
  readonly podDevices: ReadonlyMap<string, PodDeviceSettings>;
};

const STRICT = { ...POD_DEVICE_SETTINGS, reversePathFilter: true };
const SPOOFING = { ...POD_DEVICE_SETTINGS, reversePathFilter: false };

/** Follows the list of endpoints; what has not changed is the same object as before. */
export class PodRoutes {
  #endpoints: readonly WorkloadEndpoint[] = [];
  #maySpoof = false;
  #state: PodState = { routes: new Map(), podDevices: new Map() };
  /** Two endpoints claim one device or address: the later one has it. */
  #hasRivals = false;

  compute(
    endpoints: readonly WorkloadEndpoint[],
    { workloadSourceSpoofing }: FelixConfiguration['spec'],
  ): PodState {
    const maySpoof = workloadSourceSpoofing === 'Any';
    const isWhole = this.#hasRivals || maySpoof !== this.#maySpoof;
    const { removed, added } = listChanges(isWhole ? [] : this.#endpoints, endpoints);
    this.#endpoints = endpoints;
    this.#maySpoof = maySpoof;
    if (!isWhole && sameHostEnds(removed, added)) return this.#state;
    const { routes, podDevices } = this.#state;
    this.#state = isWhole
      ? this.#with(new Map(), new Map(), [], endpoints)
      : this.#with(new Map(routes), new Map(podDevices), removed, added);
    // What goes may have been a rival of what stays, and what comes of what was there.
    if (this.#hasRivals && !isWhole) this.#state = this.#with(new Map(), new Map(), [], endpoints);
    return this.#state;
  }

  #with(
    routes: Map<string, OwnedRoute>,
    podDevices: Map<string, PodDeviceSettings>,
    removed: readonly WorkloadEndpoint[],
    added: readonly WorkloadEndpoint[],
  ): PodState {
    for (const endpoint of removed) {
      const device = deviceOf(endpoint);
      if (device === undefined) continue;
      podDevices.delete(device);
      for (const [key] of routesOf(endpoint, device)) routes.delete(key);
    }
    this.#hasRivals = false;
    for (const endpoint of added) {
      const device = deviceOf(endpoint);
      if (device === undefined) continue;
      this.#hasRivals ||= podDevices.has(device);
      podDevices.set(device, this.#maySpoof && spoofs(endpoint) ? SPOOFING : STRICT);
      for (const [key, route] of routesOf(endpoint, device)) {
        this.#hasRivals ||= routes.has(key);
        routes.set(key, route);
      }
    }
    return { routes, podDevices };
  }
}

/** The host end of a pod's pair; undefined: not a device of ours. */
export function deviceOf({ spec }: WorkloadEndpoint): string | undefined {
  return spec.interfaceName?.startsWith(POD_DEVICE_PREFIX) ? spec.interfaceName : undefined;
}

function spoofs({ spec }: WorkloadEndpoint): boolean {
  return (spec.allowSpoofedSourcePrefixes?.length ?? 0) > 0;
}

/** Whether they differ in labels and the like only, each with one of the others. */
function sameHostEnds(
  removed: readonly WorkloadEndpoint[],
  added: readonly WorkloadEndpoint[],
): boolean {
  if (removed.length !== added.length) return false;
  const [before, after] = [new Set(removed.map(hostEnd)), new Set(added.map(hostEnd))];
  const areDistinct = before.size === removed.length && after.size === added.length;
  return areDistinct && before.isSubsetOf(after);
}

function hostEnd(endpoint: WorkloadEndpoint): string {
  return JSON.stringify([deviceOf(endpoint), endpoint.spec.ipNetworks, spoofs(endpoint)]);
}

const known = new WeakMap<WorkloadEndpoint, readonly (readonly [string, OwnedRoute])[]>();

function routesOf(endpoint: WorkloadEndpoint, device: string) {
  const before = known.get(endpoint);
  if (before !== undefined) return before;
  const routes = (endpoint.spec.ipNetworks ?? []).map((network) => {
    const route = podRoute(network, device);
    return [routeKey(route), route] as const;
  });
  known.set(endpoint, routes);
  return routes;
}

export function podRoute(network: string, device: string): OwnedRoute {
  const destination = parsePrefix(network, { hostBits: 'clear' });
  return {
    destination,
    device,
    gateway: undefined,
    onlink: false,
    protocol: PROTOCOL_BOOT,
    // IPv6 routes have no scope: the kernel reports every one as global.
    scope: destination.family === 4 ? 'link' : 'global',
    metric: DEFAULT_METRIC[destination.family],
  };
}
