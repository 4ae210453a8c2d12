import type { WorkloadEndpoint } from '@calico/model';
import type { PodDeviceSettings } from './dataplane.ts';
import { endpointKey, type LocalEndpoint } from './workload_endpoint.ts';

export type LocalEndpointStatus = {
  readonly namespace: string;
  readonly name: string;
  readonly pod: string;
  readonly interfaceName: string;
  readonly addresses: readonly string[];
  readonly state: 'up' | 'down' | 'error';
  readonly reason: string;
};

/** Of endpoints that are up. */
const wellKnown = new WeakMap<WorkloadEndpoint, LocalEndpointStatus>();

/** What is said about the node's endpoints; one whose ADD is not finished is not mentioned. */
export function endpointStatuses(
  local: readonly LocalEndpoint[],
  devices: ReadonlyMap<string, PodDeviceSettings>,
  failures: ReadonlyMap<string, string>,
): LocalEndpointStatus[] {
  const finished = local.filter(({ record }) => record === undefined || record.phase === 'present');
  return finished.map(({ endpoint }) => {
    const { metadata, spec } = endpoint;
    const interfaceName = spec.interfaceName ?? '';
    const device = devices.get(interfaceName);
    const isWell = device?.up === true && failures.size === 0;
    const before = isWell ? wellKnown.get(endpoint) : undefined;
    if (before !== undefined) return before;
    const failure = failures.get(endpointKey(endpoint));
    const problem =
      failure ??
      (device === undefined
        ? `device ${interfaceName} does not exist`
        : device.up
          ? undefined
          : `device ${interfaceName} is down`);
    const status: LocalEndpointStatus = {
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      pod: spec.pod ?? '',
      interfaceName,
      addresses: (spec.ipNetworks ?? []).map((network) => network.split('/')[0] ?? network),
      state: problem === undefined ? 'up' : failure === undefined ? 'down' : 'error',
      reason: problem ?? '',
    };
    if (isWell) wellKnown.set(endpoint, status);
    return status;
  });
}
