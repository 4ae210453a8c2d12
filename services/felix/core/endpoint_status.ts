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

/** What was said last: of ten thousand endpoints hardly any is another than before. */
const known = new WeakMap<WorkloadEndpoint, LocalEndpointStatus>();

/** What is said about the node's endpoints; one whose ADD is not finished is not mentioned. */
export function endpointStatuses(
  local: readonly LocalEndpoint[],
  devices: ReadonlyMap<string, PodDeviceSettings>,
  failures: ReadonlyMap<string, string>,
): LocalEndpointStatus[] {
  const finished = local.filter(({ record }) => record === undefined || record.phase === 'present');
  return finished.map(({ endpoint }) => {
    const name = endpoint.spec.interfaceName ?? '';
    const device = devices.get(name);
    const failure = failures.size === 0 ? undefined : failures.get(endpointKey(endpoint));
    const problem = failure ?? deviceProblem(name, device);
    const state = problem === undefined ? 'up' : failure === undefined ? 'down' : 'error';
    const before = known.get(endpoint);
    if (before?.state === state && before.reason === (problem ?? '')) return before;
    const status = statusOf(endpoint, state, problem ?? '');
    known.set(endpoint, status);
    return status;
  });
}

function deviceProblem(name: string, device: PodDeviceSettings | undefined): string | undefined {
  if (device === undefined) return `device ${name} does not exist`;
  return device.up ? undefined : `device ${name} is down`;
}

function statusOf(
  { metadata, spec }: WorkloadEndpoint,
  state: LocalEndpointStatus['state'],
  reason: string,
): LocalEndpointStatus {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    pod: spec.pod ?? '',
    interfaceName: spec.interfaceName ?? '',
    addresses: (spec.ipNetworks ?? []).map((network) => network.split('/')[0] ?? network),
    state,
    reason,
  };
}
