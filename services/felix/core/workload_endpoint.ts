// The WorkloadEndpoint resource of a workload, and the node's endpoints as policy sees them.
import { parseAddress } from '@calico/ip';
import { hostInterfaceName, type WorkloadEndpoint, workloadEndpointName } from '@calico/model';
import { type Workload, type WorkloadRecord } from './workload.ts';

/** Without a pod the container id names the workload. */
export function hostInterfaceOf(workload: {
  readonly namespace: string;
  readonly pod: string;
  readonly containerId: string;
}): string {
  const name = workload.pod === '' ? workload.containerId : workload.pod;
  return hostInterfaceName(workload.namespace, name);
}

export function endpointNameOf(
  node: string,
  workload: Pick<Workload, 'pod' | 'containerId' | 'interfaceName'>,
): string {
  const endpoint = workload.interfaceName;
  return workload.pod === ''
    ? workloadEndpointName({
        node,
        orchestrator: 'cni',
        containerId: workload.containerId,
        endpoint,
      })
    : workloadEndpointName({ node, orchestrator: 'k8s', pod: workload.pod, endpoint });
}

export function endpointOf(node: string, record: WorkloadRecord): WorkloadEndpoint {
  const { workload } = record;
  const orchestrator = workload.pod === '' ? 'cni' : 'k8s';
  const { namespace, serviceAccount } = workload;
  const labels: Record<string, string> = {
    ...workload.labels,
    'projectcalico.org/namespace': namespace,
    'projectcalico.org/orchestrator': orchestrator,
  };
  const profiles = [`kns.${namespace}`];
  if (serviceAccount !== '') {
    labels['projectcalico.org/serviceaccount'] = serviceAccount;
    profiles.push(`ksa.${namespace}.${serviceAccount}`);
  }
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: record.endpointName, namespace, labels },
    spec: {
      orchestrator,
      node,
      containerID: workload.containerId,
      ...(workload.pod === '' ? {} : { pod: workload.pod }),
      endpoint: workload.interfaceName,
      ...(serviceAccount === '' ? {} : { serviceAccountName: serviceAccount }),
      ipNetworks: record.addresses.map(({ address }) => hostNetwork(address)),
      profiles,
      interfaceName: record.hostInterface,
      mac: record.containerMac,
      ...(workload.ports.length === 0
        ? {}
        : { ports: workload.ports.map((port) => ({ ...port })) }),
    },
  } as WorkloadEndpoint;
}

/** "10.0.0.1" -> "10.0.0.1/32". */
export function hostNetwork(address: string): string {
  return `${address}/${parseAddress(address).family === 4 ? 32 : 128}`;
}

export function endpointKey(endpoint: WorkloadEndpoint): string {
  return `${endpoint.metadata.namespace ?? ''}/${endpoint.metadata.name}`;
}

/** The key of the endpoint that the record is of. */
export function recordKey({ workload, endpointName }: WorkloadRecord): string {
  return `${workload.namespace}/${endpointName}`;
}

export type LocalEndpoint = {
  readonly endpoint: WorkloadEndpoint;
  /** Undefined for an endpoint that another writer made for this node. */
  readonly record: WorkloadRecord | undefined;
};

/**
 * The endpoints of this node: those of the journal (with labels as stored, since an operator may
 * have changed them) and those that only the store knows. An endpoint under removal is gone.
 */
export function localEndpoints(
  node: string,
  records: readonly WorkloadRecord[],
  stored: readonly WorkloadEndpoint[],
  isRemoved: (endpoint: WorkloadEndpoint) => boolean,
): LocalEndpoint[] {
  const known = new Map<string, WorkloadEndpoint>();
  for (const endpoint of stored) {
    if (endpoint.spec.node === node && !isRemoved(endpoint)) {
      known.set(endpointKey(endpoint), endpoint);
    }
  }
  const result: LocalEndpoint[] = [];
  // Of records with one key each is laid over what is stored of its own container, in whatever order they come.
  const recorded = new Set<string>();
  for (const record of records) {
    const key = recordKey(record);
    const found = known.get(key);
    const isOurs = found?.spec.containerID === record.workload.containerId;
    if (record.phase === 'removing') {
      if (isOurs) recorded.add(key);
      continue;
    }
    if (record.addresses.length === 0) continue;
    recorded.add(key);
    result.push({ endpoint: laidOver(node, record, isOurs ? found : undefined), record });
  }
  for (const [key, endpoint] of known) {
    if (!recorded.has(key)) result.push({ endpoint, record: undefined });
  }
  return result;
}

type LaidOver = {
  readonly stored: WorkloadEndpoint | undefined;
  readonly endpoint: WorkloadEndpoint;
};
const known = new WeakMap<WorkloadRecord, LaidOver>();

/** The same object as long as neither changes: policy looks only at endpoints that are other objects than before. */
function laidOver(
  node: string,
  record: WorkloadRecord,
  stored: WorkloadEndpoint | undefined,
): WorkloadEndpoint {
  const before = known.get(record);
  if (before !== undefined && before.stored === stored) return before.endpoint;
  const own = endpointOf(node, record);
  const endpoint =
    stored === undefined ? own : { ...stored, spec: { ...stored.spec, ...own.spec } };
  known.set(record, { stored, endpoint });
  return endpoint;
}
