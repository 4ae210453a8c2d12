// Brings a pod's pair of interfaces back when someone has deleted it.
import type { PodNetwork } from '../ports.ts';
import { podInterfaceOf } from './pod_interface.ts';
import type { WorkloadBook } from './workload_book.ts';
import { endpointKey, type LocalEndpoint } from './workload_endpoint.ts';

export type RepairResult = {
  readonly notes: readonly string[];
  /** Endpoint key -> why it could not be brought back. */
  readonly failures: ReadonlyMap<string, string>;
};

export const NOTHING_REPAIRED: RepairResult = { notes: [], failures: new Map() };

/** The caller has committed the endpoints' policy. */
export function repairPods(
  local: readonly LocalEndpoint[],
  book: Pick<WorkloadBook, 'isBusy'>,
  pods: PodNetwork,
): RepairResult {
  const notes: string[] = [];
  const failures = new Map<string, string>();
  for (const { endpoint, record } of local) {
    if (record?.phase !== 'present' || book.isBusy(record.workload)) continue;
    if (pods.deviceExists(record.hostInterface)) continue;
    const pod = podInterfaceOf(record);
    if (!pods.netnsExists(pod.netns)) {
      failures.set(endpointKey(endpoint), `network namespace "${pod.netns}" does not exist`);
      continue;
    }
    try {
      pods.createPair(pod);
      pods.configurePod(pod);
      pods.configureHost(pod);
      notes.push(`repaired: device ${record.hostInterface} had been removed by another`);
    } catch (cause) {
      failures.set(endpointKey(endpoint), cause instanceof Error ? cause.message : String(cause));
    }
  }
  return { notes, failures };
}
