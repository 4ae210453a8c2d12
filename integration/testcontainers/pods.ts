// Pods inside a node's container: network namespaces there, given their interface by the CNI plugin of the
// image, run as a container runtime runs it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { validateCniResult } from '@calico/cni/result_schema';
import { CNI_NETWORK, CNI_VERSION, type CniResult } from '../lab/mod.ts';
import type { ContainerCluster, NodeName } from './cluster.ts';

const PLUGIN = '/calico/packages/cni/bin/calico';

export type PodPlan = {
  readonly name: string;
  readonly node: NodeName;
  readonly labels: Readonly<Record<string, string>>;
};

export type Pod = PodPlan & { readonly ip: string; readonly hostInterface: string };

/** Its namespace, then ADD. */
export async function addPod(cluster: ContainerCluster, plan: PodPlan): Promise<Pod> {
  const { name, node } = plan;
  await cluster.run(node, ['ip', 'netns', 'add', name]);
  await cluster.run(node, ['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  const result = JSON.parse(await cni(cluster, 'ADD', plan)) as CniResult;
  assert.deepEqual(validateCniResult(result, CNI_VERSION), [], `the CNI result of ${name}`);
  const ip = result.ips[0]?.address.replace('/32', '') ?? '';
  const hostInterface = result.interfaces.find(({ sandbox }) => !sandbox)?.name ?? '';
  return { ...plan, ip, hostInterface };
}

/** DEL, then its namespace. */
export async function deletePod(cluster: ContainerCluster, pod: PodPlan): Promise<void> {
  await cni(cluster, 'DEL', pod);
  await cluster.run(pod.node, ['ip', 'netns', 'del', pod.name]);
}

/** The IPAM handle of a pod's addresses. */
export function handleOf({ name }: PodPlan): string {
  return `${CNI_NETWORK}.${containerId(name)}`;
}

/** Words that run a command in a pod's network namespace. */
export function inPod({ name }: PodPlan, command: readonly string[]): string[] {
  return ['nsenter', `--net=/run/netns/${name}`, ...command];
}

function containerId(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

function cni(cluster: ContainerCluster, command: 'ADD' | 'DEL', plan: PodPlan): Promise<string> {
  const { name, node } = plan;
  const labels = Object.entries(plan.labels).map(([key, value]) => ({ key, value }));
  const configuration = {
    cniVersion: CNI_VERSION,
    name: CNI_NETWORK,
    type: 'calico',
    ipam: { type: 'calico-ipam' },
    args: { cni: { labels } },
  };
  // A container's exec has no standard input.
  return cluster.run(node, ['sh', '-c', `printf %s "$CONFIGURATION" | ${PLUGIN}`], {
    CONFIGURATION: JSON.stringify(configuration),
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId(name),
    CNI_NETNS: `/run/netns/${name}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/calico/packages/cni/bin',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
  });
}
