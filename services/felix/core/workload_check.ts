// CHECK and GC: what was answered against what is there.
import { formatAddress, parseInterfaceAddress } from '@calico/ip';
import type { PodNetwork } from '../ports.ts';
import { podDifferences, podInterfaceOf } from './pod_interface.ts';
import { type WorkloadKey, type WorkloadRecord, workloadKeyText } from './workload.ts';
import { WorkloadError } from './workload_error.ts';

export type CheckRequest = WorkloadKey & {
  readonly netns: string;
  readonly network: string;
  readonly namespace: string;
  readonly pod: string;
  /** With prefix length, as answered by ADD. */
  readonly expectedAddresses: readonly string[];
  /** Empty: not compared. */
  readonly expectedHostInterface: string;
};

/** Throws `missing` when there is no such workload, `differs` with everything that differs. */
export function checkWorkload(
  request: CheckRequest,
  record: WorkloadRecord | undefined,
  pods: PodNetwork,
  isStored: boolean,
): void {
  const { containerId, interfaceName } = request;
  const what = `interface "${interfaceName}" of container "${containerId}"`;
  if (record?.phase !== 'present') {
    throw new WorkloadError('missing', `Cannot check ${what}: no such workload on this node`);
  }
  const problems = [
    ...requestDifferences(request, record),
    ...podDifferences(podInterfaceOf(record), pods.inspect(podInterfaceOf(record))),
  ];
  if (!isStored) problems.push(`WorkloadEndpoint "${record.endpointName}" is not in the store`);
  if (problems.length > 0) {
    throw new WorkloadError('differs', `Cannot confirm ${what}: ${problems.join('; ')}`);
  }
}

function requestDifferences(request: CheckRequest, record: WorkloadRecord): string[] {
  const problems: string[] = [];
  for (const field of ['netns', 'network', 'namespace', 'pod'] as const) {
    const [asked, held] = [request[field], record.workload[field]];
    if (asked !== '' && asked !== held) problems.push(`${field} is "${held}", not "${asked}"`);
  }
  const host = request.expectedHostInterface;
  if (host !== '' && host !== record.hostInterface) {
    problems.push(`host interface is "${record.hostInterface}", not "${host}"`);
  }
  const held = new Set(record.addresses.map(({ address }) => address));
  for (const expected of request.expectedAddresses) {
    if (!held.has(bareAddress(expected))) problems.push(`address "${expected}" is not assigned`);
  }
  return problems;
}

function bareAddress(text: string): string {
  try {
    return formatAddress(parseInterfaceAddress(text).address);
  } catch (cause) {
    throw new WorkloadError(
      'invalid',
      `Cannot read expected_addresses "${text}": an address with prefix length is accepted`,
      { cause },
    );
  }
}

/** The workloads of the network that nobody claims any more. */
export function garbage(
  records: readonly WorkloadRecord[],
  network: string,
  valid: readonly WorkloadKey[],
): readonly WorkloadRecord[] {
  const claimed = new Set(valid.map(workloadKeyText));
  return records.filter(
    ({ phase, workload }) =>
      phase === 'present' &&
      workload.network === network &&
      !claimed.has(workloadKeyText(workload)),
  );
}
