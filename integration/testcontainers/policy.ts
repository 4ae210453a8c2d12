// A policy before and after, with real connections: one pod takes them from a labelled one only.
import assert from 'node:assert/strict';
import { eventually } from '../lab/mod.ts';
import type { Clients } from './clients.ts';
import type { ContainerCluster } from './cluster.ts';
import { inPod, type Pod } from './pods.ts';
import { connects, pingSteadily } from './probes.ts';
import { say } from './say.ts';

const PORT = 80;
const PATIENTLY_SECONDS = 20;
const POLICY = { kind: 'NetworkPolicy', namespace: 'default', name: 'only-the-friend' };

export async function checkPolicy(
  cluster: ContainerCluster,
  clients: Clients,
  [target, friend, stranger]: readonly Pod[],
): Promise<void> {
  assert.ok(target && friend && stranger, 'the policy needs three pods');
  await listen(cluster, target);
  const isOpenTo = (from: Pod, seconds = 2) => connects(cluster, from, target, PORT, seconds);
  await eventually(
    () => isOpenTo(friend),
    20_000,
    () => `${target.ip}:${PORT} does not answer before the policy`,
  );
  assert.ok(await isOpenTo(stranger, PATIENTLY_SECONDS), 'before the policy everyone connects');

  const source = { selector: "role == 'friend'" };
  const began = performance.now();
  const revision = await clients.apply(
    POLICY.kind,
    POLICY.name,
    {
      selector: `pod == '${target.labels['pod']}'`,
      types: ['Ingress'],
      ingress: [
        { action: 'Allow', protocol: 'TCP', source, destination: { ports: [PORT] } },
        { action: 'Allow', protocol: 'ICMP', source },
      ],
    },
    POLICY.namespace,
  );
  const nodes = await clients.applied(POLICY.kind, revision);
  assert.equal(nodes, 3, 'the policy is in force on every node');
  say(`policy in force on ${nodes} nodes in ${Math.round(performance.now() - began)} ms`);
  assert.ok(await isOpenTo(friend, PATIENTLY_SECONDS), 'the friend connects, from another node');
  assert.ok(!(await isOpenTo(stranger)), 'the stranger does not connect, from the same node');
  const { received } = await pingSteadily(cluster, stranger, target.ip, { count: 1 });
  assert.equal(received, 0, 'the stranger gets no answer to a ping');
  say(`friend ${friend.ip} connects to ${target.ip}:${PORT}, stranger ${stranger.ip} does not`);

  await clients.api.delete({ key: POLICY });
  await eventually(
    () => isOpenTo(stranger),
    20_000,
    () => 'the deleted policy still denies',
  );
  say('policy deleted: the stranger connects again');
}

/** A server in the pod that takes connections until its container ends. */
async function listen(cluster: ContainerCluster, pod: Pod): Promise<void> {
  const program = `require("net").createServer((socket) => socket.end()).listen(${PORT})`;
  const command = inPod(pod, ['node', '-e', program]).map((word) => `'${word}'`);
  await cluster.run(pod.node, ['sh', '-c', `setsid ${command.join(' ')} >/dev/null 2>&1 &`]);
}
