// A node leaves the cluster: not under its workloads, and nothing of it stays behind. And the api says
// whether etcd answers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, Lab } from '../lab/mod.ts';

const GONE = 'k8s-node01';

let lab: Lab;

before(async () => {
  lab = await Lab.start({ mode: 'vxlan', nodes: 2 });
  await lab.configure();
});

after(() => lab?.stop());

test('calicoctl delete node is refused under workloads, and gives back what IPAM holds', async () => {
  const pod = await lab.addPod('web', GONE);
  const refused = await lab.calicoctl(['delete', 'node', GONE]);
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /Cannot delete Node "k8s-node01": 1 workload endpoint\(s\) are on it: default\/\S*web/,
  );
  await lab.deletePod(pod);
  // Its node may still have to tell api that the endpoint is gone.
  await shows(['get', 'workloadendpoints', '-A'], (text) => !text.includes('web'));
  await ipamHolds(/vxlan-tunnel-addr-k8s-node01/);
  await ipamHolds(/vxlan-tunnel-addr-k8s-master/);
  await Promise.all(['felix', 'bgp'].map((service) => lab.process(service, GONE).stop()));
  await lab.calicoctlOk(['delete', 'node', GONE]);
  assert.doesNotMatch(await lab.calicoctlOk(['get', 'nodes']), new RegExp(GONE));
  const left = await ipamKeys();
  assert.doesNotMatch(left, new RegExp(GONE));
  assert.doesNotMatch(left, /block\/10\.244\.85\.192-26/);
  assert.match(left, /vxlan-tunnel-addr-k8s-master/);
});

test('api is not ready while etcd is away, and ready again after its return', async () => {
  const etcd = lab.process('etcd');
  await isReady(true);
  await etcd.stop();
  await isReady(false);
  lab.startProcess(etcd);
  await isReady(true);
});

async function shows(
  args: readonly string[],
  isAsWanted: (text: string) => boolean,
): Promise<void> {
  let text = '';
  await eventually(
    async () => {
      const { code, stdout, stderr } = await lab.calicoctl(args);
      text = `${stdout}${stderr}`;
      return code === 0 && isAsWanted(stdout);
    },
    20_000,
    () => `calicoctl ${args.join(' ')}: ${text}`,
  );
}

/** Tunnels get their addresses some time after their nodes. */
async function ipamHolds(key: RegExp): Promise<void> {
  let keys = '';
  await eventually(
    async () => {
      keys = await ipamKeys();
      return key.test(keys);
    },
    20_000,
    () => `IPAM does not hold ${key}, but\n${keys}`,
  );
}

async function ipamKeys(): Promise<string> {
  const { stdout } = await lab.exec('control', [
    'etcdctl',
    'get',
    '/calico/ipam/',
    '--prefix',
    '--keys-only',
  ]);
  return stdout;
}

async function isReady(expected: boolean): Promise<void> {
  const ask = "fetch('http://127.0.0.1:9180/readiness').then(({ status }) => console.log(status))";
  await eventually(
    async () => {
      const { stdout } = await lab.exec('control', [process.execPath, '-e', ask]);
      return stdout.trim() === (expected ? '200' : '503');
    },
    20_000,
    () => `api is ${expected ? 'not ready' : 'ready'} after 20 s`,
  );
}
