// What the host's side holds for the node's own pods.
import { parsePrefix } from '@calico/ip';
import type { FelixConfiguration, WorkloadEndpoint } from '@calico/model';
import {
  type OwnedRoute,
  POD_DEVICE_PREFIX,
  POD_DEVICE_SETTINGS,
  type PodDeviceSettings,
  PROTOCOL_BOOT,
  routeKey,
} from './dataplane.ts';

/** Metric the kernel gives to an IPv6 route that asks for none (IP6_RT_PRIO_USER). */
const IPV6_METRIC = 1024;

export function computePodRoutes(
  endpoints: readonly WorkloadEndpoint[],
  configuration: FelixConfiguration['spec'],
): {
  readonly routes: ReadonlyMap<string, OwnedRoute>;
  readonly podDevices: ReadonlyMap<string, PodDeviceSettings>;
} {
  const routes = new Map<string, OwnedRoute>();
  const podDevices = new Map<string, PodDeviceSettings>();
  for (const endpoint of endpoints) {
    const { spec } = endpoint;
    const device = spec.interfaceName;
    if (device === undefined || !device.startsWith(POD_DEVICE_PREFIX)) continue;
    const canSpoof =
      configuration.workloadSourceSpoofing === 'Any' &&
      (spec.allowSpoofedSourcePrefixes?.length ?? 0) > 0;
    podDevices.set(device, { ...POD_DEVICE_SETTINGS, reversePathFilter: !canSpoof });
    for (const [key, route] of routesOf(endpoint, device)) routes.set(key, route);
  }
  return { routes, podDevices };
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
    metric: destination.family === 4 ? 0 : IPV6_METRIC,
  };
}
