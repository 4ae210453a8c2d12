// The workload that holds addresses: its record goes in the transaction that frees them.
import type { Draft, Known } from '../program.ts';
import { workloadEndpointKey } from '../records/keys.ts';
import { parseJson } from '../records/lossless_json.ts';

/** A WorkloadEndpoint, as long as it belongs to this container. */
export type WorkloadOwner = {
  readonly namespace: string;
  readonly name: string;
  readonly containerId: string;
};

export function ownerKey({ namespace, name }: WorkloadOwner): string {
  return workloadEndpointKey(namespace, name);
}

/** Deletes the record unless another container has it. Answers whether. The caller has read the key. */
export function removeOwner(draft: Draft, owner: WorkloadOwner, known: Known): boolean {
  const entry = known.get(ownerKey(owner));
  if (entry === undefined || containerOf(entry.value) !== owner.containerId) return false;
  draft.delete(entry.key, entry);
  return true;
}

function containerOf(json: string): unknown {
  try {
    const { spec } = parseJson(json) as { spec?: { containerID?: unknown } };
    return spec?.containerID;
  } catch {
    return undefined; // not ours to judge
  }
}
