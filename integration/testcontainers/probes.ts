// Pings and connections between pods and nodes of the containers.
import assert from 'node:assert/strict';
import { type ContainerCluster, NODES } from './cluster.ts';
import { inPod, type Pod } from './pods.ts';
import { say } from './say.ts';

export type Count = { readonly sent: number; readonly received: number };

/** Pings an address from a pod and counts the answers. */
export async function pingSteadily(
  cluster: ContainerCluster,
  from: Pod,
  to: string,
  { count = 2, intervalSeconds = 0.2 } = {},
): Promise<Count> {
  return counted(await cluster.try(from.node, inPod(from, ping(to, count, intervalSeconds))));
}

/** Whether a pod can open a TCP connection within so many seconds. */
export async function connects(
  cluster: ContainerCluster,
  from: Pod,
  to: Pod,
  port: number,
  seconds: number,
): Promise<boolean> {
  const connect = ['timeout', `${seconds}`, 'bash', '-c', `</dev/tcp/${to.ip}/${port}`];
  return (await cluster.try(from.node, inPod(from, connect))).exitCode === 0;
}

/** Every pod to every other one, and every node to every pod. */
export async function checkPings(cluster: ContainerCluster, pods: readonly Pod[]): Promise<void> {
  let pairs = 0;
  for (const to of pods) {
    for (const from of pods) {
      if (from === to) continue;
      const { received } = await pingSteadily(cluster, from, to.ip);
      assert.ok(received > 0, `${from.name} (${from.ip}) reaches ${to.ip}`);
      pairs++;
    }
    for (const { name } of NODES) {
      const { received } = counted(await cluster.try(name, ping(to.ip, 2, 0.2)));
      assert.ok(received > 0, `${name} reaches ${to.ip}`);
      pairs++;
    }
  }
  say(`${pairs} of ${pairs} pairs answer pings: pod to pod, node to pod`);
}

function ping(to: string, count: number, intervalSeconds: number): string[] {
  return ['ping', '-n', '-q', '-c', `${count}`, '-i', `${intervalSeconds}`, '-W', '2', to];
}

function counted({ output }: { readonly output: string }): Count {
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(output) ?? [];
  return { sent: Number(sent ?? 0), received: Number(received ?? 0) };
}
