// The walk-through in BGP mode on containers. Started by the test in the namespace of its Docker Engine,
// with DOCKER_HOST; prints what it does, ends with 0 when everything came out true.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ResourceService } from '@calico/proto/api/v1/resources';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { StatusService } from '@calico/proto/status/v1/status';
import { connectRpc } from '@calico/rpc';
import { eventually } from '../lab/mod.ts';
import { ADDRESSES, ContainerCluster, NODES, type NodeName } from './cluster.ts';

const PLUGIN = '/calico/packages/cni/bin/calico';
const PODS = [
  { name: 'busybox-deploy-5c8bbcc5f7-ddmm9', node: 'k8s-node02', host: 'cali918b33f2bbe' },
  { name: 'busybox-deploy-5c8bbcc5f7-ksr4z', node: 'k8s-node02', host: 'cali54491a66381' },
  { name: 'busybox-deploy-5c8bbcc5f7-fhqvh', node: 'k8s-node01', host: undefined },
] as const;

type Pod = { readonly name: string; readonly node: NodeName; readonly ip: string };

const started = performance.now();
const cluster = new ContainerCluster();
const insecure = { insecure: true };
const api = connectRpc(ResourceService, `${ADDRESSES.api}:5671`, insecure);
const ipam = connectRpc(IpamService, `${ADDRESSES.ipam}:5672`, insecure);
const status = connectRpc(StatusService, `${ADDRESSES.status}:5673`, insecure);

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    await walkThrough();
    say('everything came out true');
    return 0;
  } catch (error) {
    say(`failed: ${error instanceof Error ? error.message : String(error)}`);
    for (const name of cluster.names) console.log(`--- log of ${name}\n${cluster.logTail(name)}`);
    return 1;
  } finally {
    for (const client of [api, ipam, status]) client.close();
    await cluster.stop();
  }
}

async function walkThrough(): Promise<void> {
  say('starting etcd, NATS, api, ipam, status');
  await cluster.startControl();
  await applyConfiguration();
  say('starting three nodes');
  await cluster.startNodes();
  await checkSessions();
  const pods: Pod[] = [];
  for (const { name, node } of PODS) pods.push(await addPod(node, name));
  await checkRoutes(pods);
  await checkPings(pods);
  await checkPolicy(pods);
  for (const pod of pods) await deletePod(pod);
  await checkNothingIsLeft();
}

async function applyConfiguration(): Promise<void> {
  await apply('IPPool', 'default-ipv4-ippool', {
    cidr: '10.244.0.0/16',
    blockSize: 26,
    ipipMode: 'Never',
    vxlanMode: 'Never',
    natOutgoing: true,
  });
  await apply('BGPConfiguration', 'default', { asNumber: 64512, nodeToNodeMeshEnabled: true });
  say('applied pool 10.244.0.0/16 and AS 64512 through the api');
}

async function apply(kind: string, name: string, spec: object, namespace = ''): Promise<void> {
  const metadata = namespace === '' ? { name } : { name, namespace };
  const json = JSON.stringify({ apiVersion: 'projectcalico.org/v3', kind, metadata, spec });
  await api.apply({ resource: { kind, name, namespace, json } });
}

async function checkSessions(): Promise<void> {
  let seen = '';
  await eventually(
    async () => {
      const { nodes } = await status.listNodes({});
      seen = nodes
        .map((node) => `${node.node} ${node.peersEstablished}/${node.peersTotal}`)
        .join(', ');
      return nodes.length === 3 && nodes.every((node) => node.peersEstablished === 2);
    },
    30_000,
    () => `sessions are not established: ${seen}`,
  );
  say(`BGP sessions established: ${seen}`);
  const table = await cluster.run('k8s-node02', ['calicoctl', 'node', 'status']);
  console.log(table.trimEnd());
  for (const { address } of NODES.slice(0, 2)) {
    assert.match(table, new RegExp(`${address} +\\| node-to-node mesh \\| up .*Established`));
  }
}

async function addPod(node: NodeName, name: string): Promise<Pod> {
  await cluster.run(node, ['ip', 'netns', 'add', name]);
  await cluster.run(node, ['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  const began = performance.now();
  const result = JSON.parse(await cni(node, 'ADD', name)) as { ips?: { address: string }[] };
  const address = result.ips?.[0]?.address ?? '';
  assert.match(address, /^10\.244\.\d+\.\d+\/32$/, `the CNI result of ${name}`);
  const ip = address.replace('/32', '');
  say(`pod ${name} on ${node}: ${ip} (${Math.round(performance.now() - began)} ms)`);
  const { addresses } = await ipam.ipsByHandle({ handleId: handleOf(name) });
  assert.deepEqual(
    addresses.map((one) => [one.address, one.block]),
    [[ip, NODES.find((one) => one.name === node)?.block]],
  );
  return { name, node, ip };
}

async function deletePod({ name, node }: Pod): Promise<void> {
  await cni(node, 'DEL', name);
  await cluster.run(node, ['ip', 'netns', 'del', name]);
  const { addresses } = await ipam.ipsByHandle({ handleId: handleOf(name) });
  assert.deepEqual(addresses, [], `the address of ${name} is free again`);
}

function containerId(pod: string): string {
  return createHash('sha256').update(pod).digest('hex');
}

function handleOf(pod: string): string {
  return `k8s-pod-network.${containerId(pod)}`;
}

/** Runs the plugin as a container runtime does. */
function cni(node: NodeName, command: 'ADD' | 'DEL', pod: string): Promise<string> {
  const netconf = JSON.stringify({
    cniVersion: '1.1.0',
    name: 'k8s-pod-network',
    type: 'calico',
    ipam: { type: 'calico-ipam' },
  });
  return cluster.run(node, ['sh', '-c', `printf %s "$NETCONF" | ${PLUGIN}`], {
    NETCONF: netconf,
    CNI_COMMAND: command,
    CNI_CONTAINERID: containerId(pod),
    CNI_NETNS: `/run/netns/${pod}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/calico/packages/cni/bin',
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod}`,
  });
}

async function checkRoutes(pods: readonly Pod[]): Promise<void> {
  const wanted = [
    /blackhole 10\.244\.58\.192\/26 proto bird/,
    /10\.244\.85\.192\/26 via 192\.168\.80\.101 dev eth0 proto bird/,
    ...PODS.flatMap(({ name, host }) => {
      const ip = pods.find((pod) => pod.name === name)?.ip;
      return host === undefined ? [] : [new RegExp(`${ip} dev ${host} scope link`)];
    }),
  ];
  let routes = '';
  await eventually(
    async () => {
      routes = await cluster.run('k8s-node02', ['ip', 'route']);
      return wanted.every((route) => route.test(routes));
    },
    15_000,
    () => `the routes of k8s-node02 are not as in the article:\n${routes}`,
  );
  say('routes of k8s-node02:');
  console.log(routes.trimEnd());
}

async function pings(node: NodeName, from: string | undefined, to: string): Promise<boolean> {
  const command = ['ping', '-n', '-q', '-c', '2', '-i', '0.2', '-W', '2', to];
  const whole = from === undefined ? command : ['ip', 'netns', 'exec', from, ...command];
  return (await cluster.try(node, whole)).exitCode === 0;
}

async function checkPings(pods: readonly Pod[]): Promise<void> {
  let pairs = 0;
  for (const to of pods) {
    for (const from of pods.filter((pod) => pod !== to)) {
      assert.ok(await pings(from.node, from.name, to.ip), `${from.name} reaches ${to.ip}`);
      pairs++;
    }
    for (const { name } of NODES) {
      assert.ok(await pings(name, undefined, to.ip), `${name} reaches ${to.ip}`);
      pairs++;
    }
  }
  say(`${pairs} of ${pairs} pairs of pods and nodes answer pings`);
}

async function checkPolicy(pods: readonly Pod[]): Promise<void> {
  const [target, , client] = pods;
  assert.ok(target !== undefined && client !== undefined);
  const selector = "projectcalico.org/namespace == 'default'";
  await apply('NetworkPolicy', 'deny-all', { selector, types: ['Ingress'] }, 'default');
  await eventually(
    async () => !(await pings(client.node, client.name, target.ip)),
    15_000,
    () => 'the policy does not deny',
  );
  await api.delete({ key: { kind: 'NetworkPolicy', name: 'deny-all', namespace: 'default' } });
  await eventually(
    () => pings(client.node, client.name, target.ip),
    15_000,
    () => 'the deleted policy still denies',
  );
  say('a policy denies, and its deletion allows again');
}

async function checkNothingIsLeft(): Promise<void> {
  for (const { name } of NODES) {
    const links = await cluster.run(name, ['ip', '-o', 'link']);
    assert.doesNotMatch(links, / cali/, `interfaces of pods are left on ${name}`);
  }
  const { pools } = await ipam.getUtilization({ pools: [] });
  assert.deepEqual(
    pools.map((pool) => pool.inUse),
    [0n],
  );
  say('pods deleted: no interface and no address is left');
}

function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
  console.log(`${seconds} s  ${text}`);
}
