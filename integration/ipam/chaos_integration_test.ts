// Sixty pods at once while etcd is killed and comes back: every pod that was connected has an address of
// its own and is reached, and nothing is left of the attempts that failed. At every revision of etcd's
// history each assigned address had an owner.
//
// The calls are those of the CNI plugin, made as it makes them (one gRPC call of the node's felix each);
// a runtime's manners are played here: what fails is removed and tried again as a new container. One pod
// per node goes through the plugin's executable. 20 to 40 s.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FelixService } from '@calico/proto/felix/v1/felix';
import { IpamAdminService } from '@calico/proto/ipam/v1/admin';
import { connectRpc, type RpcClient, RpcError } from '@calico/rpc';
import {
  CNI_NETWORK,
  eventually,
  exec,
  execOk,
  Lab,
  type NodePlan,
  nodeDirectories,
  patient,
  ping,
} from '../lab/mod.ts';
import { ownershipHistory } from './ownership.ts';

const PODS_PER_NODE = 20;
const TRIES_MS = 180_000;
const PING_AT_ONCE = 10;

type ChaosPod = {
  readonly node: NodePlan;
  readonly name: string;
  readonly netns: string;
  containerId: string;
  address: string;
  hostInterface: string;
};

let lab: Lab;
const felix = new Map<string, RpcClient<typeof FelixService>>();
let admin: RpcClient<typeof IpamAdminService>;

before(async () => {
  lab = await Lab.start({ mode: 'bgp' });
  await lab.configure();
  for (const { name } of lab.topology.nodes)
    felix.set(name, connectRpc(FelixService, socket(name, 'felix')));
  admin = connectRpc(IpamAdminService, socket('control', 'ipam'));
});

after(async () => {
  for (const connection of [...felix.values(), admin]) connection?.close();
  await lab?.stop();
});

function socket(node: string, service: string): string {
  return `unix:${join(nodeDirectories(lab.directory, node).run, `${service}.sock`)}`;
}

function podsOf(node: NodePlan): ChaosPod[] {
  return Array.from({ length: PODS_PER_NODE }, (_, number) => {
    const name = `chaos-${number}-${node.name}`;
    const hash = createHash('sha256').update(`${lab.topology.prefix}/${name}`).digest('hex');
    const netns = `${lab.topology.prefix}-pod-${hash.slice(0, 10)}`;
    return { node, name, netns, containerId: '', address: '', hostInterface: '' };
  });
}

/** Adds the pod as a runtime does; answers how often it had to. */
async function add(pod: ChaosPod): Promise<number> {
  const end = performance.now() + patient(TRIES_MS);
  for (let attempt = 1; ; attempt++) {
    pod.containerId = randomBytes(32).toString('hex');
    try {
      const answer = await client(pod).addWorkload(
        {
          containerId: pod.containerId,
          netns: `/run/netns/${pod.netns}`,
          interfaceName: 'eth0',
          network: CNI_NETWORK,
          namespace: 'default',
          pod: pod.name,
        },
        { timeoutMs: patient(60_000) },
      );
      pod.address = answer.addresses[0]?.split('/')[0] ?? '';
      pod.hostInterface = answer.hostInterface;
      return attempt;
    } catch (error) {
      assert.ok(error instanceof RpcError, String(error));
      assert.equal(error.code, 'UNAVAILABLE', `${pod.name}: ${error.code}: ${error.message}`);
      assert.ok(performance.now() < end, `${pod.name} still fails: ${error.message}`);
      await remove(pod);
      await new Promise((resolve) => setTimeout(resolve, 100 + 200 * Math.random()));
    }
  }
}

async function remove(pod: ChaosPod): Promise<void> {
  await client(pod).removeWorkload(
    {
      containerId: pod.containerId,
      netns: `/run/netns/${pod.netns}`,
      interfaceName: 'eth0',
      network: CNI_NETWORK,
      namespace: 'default',
      pod: pod.name,
    },
    { timeoutMs: patient(60_000) },
  );
}

function client(pod: ChaosPod): RpcClient<typeof FelixService> {
  return felix.get(pod.node.name) as RpcClient<typeof FelixService>;
}

/** What `calicoctl ipam check` compares, and the addresses of pods that are assigned. */
async function check(): Promise<{ problems: string[]; addresses: string[] }> {
  const parts = await Array.fromAsync(admin.check({}));
  return {
    problems: parts.flatMap(({ problems }) => problems.map(({ message }) => message)),
    addresses: parts
      .flatMap(({ allocations }) => allocations)
      .filter(({ attributes }) => attributes['pod']?.startsWith('chaos-'))
      .map(({ address }) => address)
      .toSorted(),
  };
}

/** Waits until ipam's records and the pods agree. It may be without etcd for a moment more. */
async function agree(expected: readonly string[]): Promise<void> {
  let found: unknown;
  await eventually(
    async () => {
      try {
        const { problems, addresses } = await check();
        found = { problems, addresses };
        return problems.length === 0 && addresses.join() === expected.join();
      } catch (error) {
        assert.ok(error instanceof RpcError && error.code === 'UNAVAILABLE', String(error));
        found = error.message;
        return false;
      }
    },
    20_000,
    () => `ipam check: ${JSON.stringify(found)}; pods: ${expected.join()}`,
  );
}

async function ownRoutes(node: NodePlan): Promise<Set<string>> {
  const { stdout } = await lab.exec(node.name, ['ip', '-4', 'route', 'show']);
  const routes = stdout.matchAll(/^(\S+) dev (cali\S+)/gm);
  return new Set([...routes].map(([, address, device]) => `${address} ${device}`));
}

test(`${PODS_PER_NODE} pods per node at once while etcd is killed: unique, reached, nothing left over`, async (t) => {
  const pods = lab.topology.nodes.flatMap(podsOf);
  const input = pods.map(({ netns }) => `netns add ${netns}\n`).join('');
  await execOk(['ip', '-batch', '-'], { input });
  const [probe] = await Promise.all(
    lab.topology.nodes.map((node, number) => lab.addPod(`probe-${number}`, node.name)),
  );

  const etcd = lab.process('etcd');
  const early = pods.filter((_, number) => number % 2 === 0).map(add);
  await Promise.race(early);
  const killed = etcd.stop('SIGKILL');
  const late = pods.filter((_, number) => number % 2 === 1).map(add);
  const adding = Promise.all([...early, ...late]);
  adding.catch(() => {});
  await killed;
  await new Promise((resolve) => setTimeout(resolve, 700));
  lab.startProcess(etcd);
  const attempts = await adding;
  const repeated = attempts.filter((count) => count > 1).length;
  t.diagnostic(`${repeated} of ${pods.length} pods were tried again`);

  const addresses = pods.map(({ address }) => address).toSorted();
  assert.equal(new Set(addresses).size, pods.length);
  await agree(addresses);
  for (const node of lab.topology.nodes) {
    const routes = await ownRoutes(node);
    for (const pod of pods.filter((one) => one.node === node)) {
      assert.ok(routes.has(`${pod.address} ${pod.hostInterface}`), `${pod.address} is not routed`);
    }
  }
  await reachAll(probe?.netns ?? '', pods);

  await Promise.all(pods.map(remove));
  await agree([]);
  const history = await ownershipHistory(lab.topology.control);
  t.diagnostic(`${history.looked} of ${history.revisions} revisions concerned addresses`);
  assert.deepEqual(history.faults, []);
  assert.ok(history.looked > pods.length, 'each endpoint is a revision of its own');
  const leftNamespaces = pods.map(({ netns }) => `netns delete ${netns}\n`).join('');
  await exec(['ip', '-force', '-batch', '-'], { input: leftNamespaces });
});

async function reachAll(from: string, pods: readonly ChaosPod[]): Promise<void> {
  for (let at = 0; at < pods.length; at += PING_AT_ONCE) {
    await Promise.all(
      pods.slice(at, at + PING_AT_ONCE).map(({ address, name }) =>
        eventually(
          async () => (await ping(from, address)).received > 0,
          10_000,
          () => `${name} at ${address} does not answer`,
        ),
      ),
    );
  }
}
