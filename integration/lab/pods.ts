// Pods are network namespaces; their interface comes from the CNI plugin, run as a runtime runs it.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { exec, execOk, type Result } from './exec.ts';
import { inNamespace } from './fabric.ts';
import { nodeDirectories, ROOT } from './processes.ts';
import type { NodePlan } from './topology.ts';
import { PATIENCE } from './wait.ts';

export const CNI_VERSION = '1.1.0';
export const CNI_NETWORK = 'k8s-pod-network';
const PLUGIN = join(ROOT, 'packages', 'cni', 'bin', 'calico');

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

export type CniResult = {
  readonly cniVersion: string;
  readonly interfaces: readonly { name: string; mac?: string; sandbox?: string; mtu?: number }[];
  readonly ips: readonly { address: string; gateway?: string; interface?: number }[];
  readonly routes: readonly { dst: string; gw?: string }[];
};

export type PodPlan = {
  readonly name: string;
  readonly namespace: string;
  readonly node: NodePlan;
  /** Network namespace of the pod. */
  readonly netns: string;
  readonly containerId: string;
  readonly labels: Readonly<Record<string, string>>;
};

export type Pod = PodPlan & { readonly ip: string; readonly result: CniResult };

export type CniCall = {
  readonly containerId?: string;
  readonly netns?: string;
  readonly interfaceName?: string;
  readonly args?: string;
  /** Fields merged into the network configuration; a string replaces it as it is. */
  readonly config?: Readonly<Record<string, unknown>> | string;
  readonly timeoutMs?: number;
};

export function planPod(
  prefix: string,
  node: NodePlan,
  name: string,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): PodPlan {
  const containerId = createHash('sha256').update(`${prefix}/${namespace}/${name}`).digest('hex');
  return {
    name,
    namespace,
    node,
    labels,
    containerId,
    netns: `${prefix}-pod-${containerId.slice(0, 10)}`,
  };
}

/** Runs the plugin's executable in the node's namespace. */
export function runCni(
  labDirectory: string,
  node: NodePlan,
  command: CniCommand,
  call: CniCall = {},
): Promise<Result> {
  const { config = {} } = call;
  const netconf =
    typeof config === 'string'
      ? config
      : JSON.stringify({
          cniVersion: CNI_VERSION,
          name: CNI_NETWORK,
          type: 'calico',
          ipam: { type: 'calico-ipam' },
          runDir: nodeDirectories(labDirectory, node.name).run,
          ...config,
        });
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    CNI_COMMAND: command,
    CNI_PATH: join(ROOT, 'packages', 'cni', 'bin'),
    CNI_IFNAME: call.interfaceName ?? 'eth0',
    ...(call.containerId === undefined ? {} : { CNI_CONTAINERID: call.containerId }),
    ...(call.netns === undefined ? {} : { CNI_NETNS: call.netns }),
    ...(call.args === undefined ? {} : { CNI_ARGS: call.args }),
  };
  return exec(inNamespace(node.namespace, [PLUGIN]), {
    input: netconf,
    env,
    timeoutMs: call.timeoutMs ?? 120_000,
  });
}

/** The call that a runtime makes for a pod. */
export function podCall(pod: PodPlan, config: Readonly<Record<string, unknown>> = {}): CniCall {
  return {
    containerId: pod.containerId,
    netns: `/run/netns/${pod.netns}`,
    args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId}`,
    config: {
      args: { cni: { labels: Object.entries(pod.labels).map(([key, value]) => ({ key, value })) } },
      ...config,
    },
  };
}

export async function createPod(labDirectory: string, plan: PodPlan): Promise<Pod> {
  const { code: existing } = await exec(['ip', 'netns', 'add', plan.netns]);
  if (existing === 0) await execOk(['ip', '-netns', plan.netns, 'link', 'set', 'lo', 'up']);
  const add = (): Promise<Result> => runCni(labDirectory, plan.node, 'ADD', podCall(plan));
  let { code, stdout, stderr } = await add();
  // As a runtime does; on a usual machine it would hide what is slow.
  for (let again = 1; again < PATIENCE && code !== 0 && isTryAgainLater(stdout); again++) {
    ({ code, stdout, stderr } = await add());
  }
  if (code !== 0) {
    throw new Error(
      `Cannot add pod "${plan.namespace}/${plan.name}": ${stdout.trim()} ${stderr.trim()}`,
    );
  }
  const result = JSON.parse(stdout) as CniResult;
  const ip = result.ips[0]?.address.split('/')[0];
  if (ip === undefined)
    throw new Error(`Cannot use the CNI result of "${plan.name}": it has no address`);
  return { ...plan, ip, result };
}

/** Error 11 of the specification. */
function isTryAgainLater(stdout: string): boolean {
  return /"code":\s*11\b/.test(stdout);
}

export async function removePod(labDirectory: string, pod: PodPlan): Promise<void> {
  const { code, stdout, stderr } = await runCni(labDirectory, pod.node, 'DEL', podCall(pod));
  await exec(['ip', 'netns', 'delete', pod.netns]);
  if (code !== 0)
    throw new Error(`Cannot delete pod "${pod.namespace}/${pod.name}": ${stdout} ${stderr}`);
}
