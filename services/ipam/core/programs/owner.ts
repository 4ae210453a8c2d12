// The workload that holds addresses: it is named in the transaction that assigns them, and its
// WorkloadEndpoint goes in the one that frees them.
import type { Draft, Known } from '../program.ts';
import { storedTime } from '../records/block.ts';
import { type Handle, type HandleOwner, withOwner } from '../records/handle.ts';
import { workloadEndpointKey } from '../records/keys.ts';
import { parseJson } from '../records/lossless_json.ts';

/** A WorkloadEndpoint, as long as it belongs to this container. */
export type WorkloadOwner = {
  readonly namespace: string;
  readonly name: string;
  readonly containerId: string;
};

/** The handle as the workload's. `now` in milliseconds since the epoch. */
export function ownedBy(
  handle: Handle,
  workload: WorkloadOwner | undefined,
  node: string,
  now: number,
): Handle {
  if (workload === undefined) return handle;
  const { namespace, name: endpoint, containerId } = workload;
  return withOwner(handle, { node, namespace, endpoint, containerId, assignedAt: storedTime(now) });
}

/** Where the WorkloadEndpoint of a handle's owner is, or will be. */
export function endpointKeyOf({ namespace, endpoint }: HandleOwner): string {
  return workloadEndpointKey(namespace, endpoint);
}

export function ownerKey({ namespace, name }: WorkloadOwner): string {
  return workloadEndpointKey(namespace, name);
}

/**
 * Deletes the record unless another container has it; either way it must not change. Answers whether.
 * The caller has read the key.
 */
export function removeOwner(draft: Draft, owner: WorkloadOwner, known: Known): boolean {
  const key = ownerKey(owner);
  const entry = known.get(key);
  draft.expect(key, entry);
  if (entry === undefined || containerOfEndpoint(entry.value) !== owner.containerId) return false;
  draft.delete(entry.key, entry);
  return true;
}

/** The container of a WorkloadEndpoint; undefined when it cannot be told. */
export function containerOfEndpoint(json: string): unknown {
  try {
    const { spec } = parseJson(json) as { spec?: { containerID?: unknown } };
    return spec?.containerID;
  } catch {
    return undefined; // not ours to judge
  }
}
