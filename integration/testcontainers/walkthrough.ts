// The walk-through in BGP mode on containers. Started by the test in the network namespace of its Docker
// Engine, with DOCKER_HOST; prints what it does and ends with 0 when everything came out true.
import assert from 'node:assert/strict';
import { type BgpPeerStatus, BgpPeerType } from '@calico/proto/events/v1/events';
import { eventually } from '../lab/mod.ts';
import { Clients } from './clients.ts';
import { ContainerCluster, NODES } from './cluster.ts';
import { addPod, deletePod, handleOf, inPod, type Pod, type PodPlan } from './pods.ts';
import { checkPolicy } from './policy.ts';
import { checkPings, pingSteadily } from './probes.ts';
import { say } from './say.ts';

/** The article's pods, and the interfaces that their names hash to. */
const PODS = [
  { name: 'busybox-deploy-5c8bbcc5f7-ddmm9', node: 'k8s-node02', host: 'cali918b33f2bbe' },
  { name: 'busybox-deploy-5c8bbcc5f7-fhqvh', node: 'k8s-node01', host: undefined },
  { name: 'busybox-deploy-5c8bbcc5f7-ksr4z', node: 'k8s-node02', host: 'cali54491a66381' },
] as const;

const cluster = new ContainerCluster();
const clients = new Clients(cluster);

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    await walkThrough();
    say('everything came out true');
    return 0;
  } catch (error) {
    for (const name of cluster.names) console.log(`--- log of ${name}\n${cluster.logTail(name)}`);
    say(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    return 1;
  } finally {
    clients.close();
    await cluster.stop();
  }
}

async function walkThrough(): Promise<void> {
  say('starting etcd, NATS, api, ipam, status');
  await cluster.startControl();
  await configure();
  say('starting three nodes');
  await cluster.startNodes();
  await checkSessions();
  const pods: Pod[] = [];
  for (const plan of PODS) pods.push(await createPod(plan));
  await checkRoutes(pods);
  await checkPings(cluster, pods);
  await checkPolicy(cluster, clients, pods);
  await checkRestart(pods);
  await checkDeletion(pods);
  await checkStop();
}

async function configure(): Promise<void> {
  await clients.apply('IPPool', 'default-ipv4-ippool', {
    cidr: '10.244.0.0/16',
    blockSize: 26,
    ipipMode: 'Never',
    vxlanMode: 'Never',
    natOutgoing: true,
  });
  await clients.apply('BGPConfiguration', 'default', {
    asNumber: 64512,
    nodeToNodeMeshEnabled: true,
  });
  for (const { name, address, block } of NODES) {
    await clients.ipam.claimAffinity({ cidr: block, node: name });
    await clients.apply('Node', name, { bgp: { ipv4Address: `${address}/24` } });
  }
  say('applied pool 10.244.0.0/16, AS 64512 and three nodes through the api');
}

/** What every speaker says of its sessions, and what status has gathered. */
async function checkSessions(): Promise<void> {
  let seen = '';
  await eventually(
    async () => {
      const speakers = await Promise.all(
        NODES.map(({ name }) => clients.peersOf(name).catch(() => [])),
      );
      seen = speakers.map((peers) => peers.map(describePeer).join(' ')).join(' | ');
      return speakers.every((peers) => peers.length === 2 && peers.every(isMesh));
    },
    30_000,
    () => `the sessions are not established: ${seen}`,
  );
  say('every speaker has two established sessions:');
  for (const { name } of NODES) {
    const peers = await clients.peersOf(name);
    console.log(`           ${name}: ${peers.map(describePeer).join(', ')}`);
  }
  await eventually(
    async () => {
      const { nodes } = await clients.status.listNodes({});
      seen = nodes
        .map((node) => `${node.node} ${node.peersEstablished}/${node.peersTotal}`)
        .join(', ');
      return nodes.length === 3 && nodes.every((node) => node.ready && node.peersEstablished === 2);
    },
    30_000,
    () => `status does not know that every node is ready: ${seen}`,
  );
  say(`status says: ${seen}, all ready`);
  const table = await cluster.run('k8s-node02', ['calicoctl', 'node', 'status']);
  console.log(table.trimEnd().replaceAll(/^/gm, '           '));
}

function isMesh({ state, type, remoteAsn }: BgpPeerStatus): boolean {
  return state === 'Established' && type === BgpPeerType.NODE_MESH && remoteAsn === 64512;
}

function describePeer({ address, remoteNode, state }: BgpPeerStatus): string {
  return `${remoteNode || address} ${state}`;
}

async function createPod(wanted: (typeof PODS)[number]): Promise<Pod> {
  const isFriend = wanted.node === 'k8s-node01';
  const labels = { pod: wanted.name.slice(-5), ...(isFriend ? { role: 'friend' } : {}) };
  const plan: PodPlan = { name: wanted.name, node: wanted.node, labels };
  const began = performance.now();
  const pod = await addPod(cluster, plan);
  const took = Math.round(performance.now() - began);
  say(`pod ${pod.name} on ${pod.node}: ${pod.ip}, ${pod.hostInterface} (${took} ms)`);
  if (wanted.host !== undefined) assert.equal(pod.hostInterface, wanted.host);
  const { addresses } = await clients.ipam.ipsByHandle({ handleId: handleOf(pod) });
  const block = NODES.find(({ name }) => name === pod.node)?.block;
  assert.deepEqual(
    addresses.map((one) => [one.address, one.block]),
    [[pod.ip, block]],
  );
  return pod;
}

async function checkRoutes(pods: readonly Pod[]): Promise<void> {
  for (const here of NODES) {
    const wanted = NODES.map(({ name, address, block }) =>
      name === here.name
        ? `blackhole ${block} proto bird`
        : `${block} via ${address} dev eth0 proto bird`,
    );
    for (const { ip, node, hostInterface } of pods) {
      if (node === here.name) wanted.push(`${ip} dev ${hostInterface} scope link`);
    }
    let routes = '';
    await eventually(
      async () => {
        routes = await cluster.run(here.name, ['ip', 'route']);
        return wanted.every((line) => routes.includes(line));
      },
      30_000,
      () => `${here.name} lacks one of the routes\n${wanted.join('\n')}\nand has\n${routes}`,
    );
    if (here.name !== 'k8s-node02') continue;
    say('the routes of every node are as in the article; k8s-node02:');
    console.log(routes.trimEnd().replaceAll(/^/gm, '           '));
  }
  const inside = await cluster.run('k8s-node02', inPod(pods[0] as Pod, ['ip', 'route']));
  assert.match(inside, /^default via 169\.254\.1\.1 dev eth0/m);
}

/** The container keeps both services running: one that is killed comes back, and traffic does not notice. */
async function checkRestart(pods: readonly Pod[]): Promise<void> {
  const [near, far] = pods as [Pod, Pod];
  const steady = pingSteadily(cluster, far, near.ip, { count: 400, intervalSeconds: 0.01 });
  for (const service of ['felix', 'bgp']) {
    await cluster.run(near.node, ['pkill', '-KILL', '-f', `services/${service}/main.ts`]);
  }
  assert.deepEqual(await steady, { sent: 400, received: 400 }, 'pings during the restart');
  await eventually(
    async () => {
      const peers = await clients.peersOf(near.node).catch(() => []);
      const isReady = await clients.isReady(near.node).catch(() => false);
      return isReady && peers.length === 2 && peers.every(({ state }) => state === 'Established');
    },
    30_000,
    () => `felix or bgp on ${near.node} did not come back`,
  );
  say(`felix and bgp on ${near.node} killed and back; 400 of 400 pings answered meanwhile`);
}

async function checkDeletion(pods: readonly Pod[]): Promise<void> {
  for (const pod of pods) {
    await deletePod(cluster, pod);
    await deletePodAgain(pod);
  }
  for (const { name } of NODES) {
    const links = await cluster.run(name, ['ip', '-o', 'link']);
    assert.doesNotMatch(links, / cali/, `interfaces of pods are left on ${name}`);
    const routes = await cluster.run(name, ['ip', 'route']);
    assert.doesNotMatch(routes, /dev cali/, `routes of pods are left on ${name}`);
  }
  // What ipam or api could not be told at once is told later.
  let left = '';
  await eventually(
    async () => {
      const { resources } = await clients.api.list({ kind: 'WorkloadEndpoint' });
      const { pools } = await clients.ipam.getUtilization({ pools: [] });
      const handles = await Promise.all(
        pods.map((pod) => clients.ipam.ipsByHandle({ handleId: handleOf(pod) })),
      );
      const addresses = handles.flatMap((handle) => handle.addresses);
      const inUse = pools.map((pool) => pool.inUse).join();
      left = `${resources.length} endpoints, ${addresses.length} addresses, ${inUse} in use`;
      return left === '0 endpoints, 0 addresses, 0 in use';
    },
    30_000,
    () => `something of the pods is left: ${left}`,
  );
  say('pods deleted: no interface, route, endpoint or address is left');
}

/** DEL of what is gone succeeds. */
async function deletePodAgain(pod: Pod): Promise<void> {
  await cluster.run(pod.node, ['ip', 'netns', 'add', pod.name]);
  await deletePod(cluster, pod);
}

async function checkStop(): Promise<void> {
  const { exitCode, elapsedMs } = await cluster.stopOne('k8s-master');
  assert.equal(exitCode, 0, 'a node that is told to stop ends with status 0');
  say(`k8s-master stopped in ${(elapsedMs / 1000).toFixed(1)} s`);
}
