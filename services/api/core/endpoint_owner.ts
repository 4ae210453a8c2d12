// A WorkloadEndpoint that is written only while IPAM holds its addresses: a handle names the workload it
// belongs to in the transaction that assigns them, and is gone once they are released.
import type { AnyResource } from '@calico/model';

/**
 * Why the endpoint must not be written; undefined when it may. `handle`: the handle's record as stored,
 * undefined without one.
 */
export function endpointProblem(
  resource: AnyResource,
  handleId: string,
  handle: string | undefined,
): string | undefined {
  if (resource.kind !== 'WorkloadEndpoint') {
    return `ipam_handle "${handleId}" was given for a ${resource.kind}; expected a WorkloadEndpoint`;
  }
  if (handle === undefined) {
    return `handle "${handleId}" holds no addresses (any more); add the workload again`;
  }
  const { containerID } = resource.spec;
  const owner = containerOf(handle);
  if (owner === undefined || owner === containerID) return undefined;
  return `handle "${handleId}" belongs to container "${owner}" and not to "${containerID ?? ''}"`;
}

/** Undefined where another writer, or an older ipam, has named none. */
function containerOf(handle: string): string | undefined {
  try {
    const { owner } = JSON.parse(handle) as { owner?: { containerID?: unknown } };
    return typeof owner?.containerID === 'string' ? owner.containerID : undefined;
  } catch {
    return undefined; // not ours to judge
  }
}
