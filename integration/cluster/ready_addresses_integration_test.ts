// A pod starts while etcd is down, with an address that its node holds ready; after the return all
// records agree. About 25 s.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ownershipHistory } from '../ipam/ownership.ts';
import { eventually, Lab, type Pod, ping, Traffic } from '../lab/mod.ts';

const NODE = 'k8s-node01';

let lab: Lab;
let to: Pod;

before(async () => {
  lab = await Lab.start({ mode: 'vxlan', nodes: 2 });
  await lab.configure();
  await lab.calicoctlOk(['ipam', 'configure', '--warm-addresses-per-node=2']);
  to = await lab.addPod('to', 'k8s-master');
  // Its block and its tunnel are there, and the lease comes at once after a start.
  await lab.deletePod(await lab.addPod('first', NODE));
  const felix = lab.process('felix', NODE);
  await felix.stop();
  lab.startProcess(felix);
  await eventually(
    async () => (await heldReady()) === 2,
    60_000,
    () => 'the node holds no addresses ready',
  );
});

after(() => lab?.stop());

/** Undefined: ipam does not answer now. */
async function heldReady(): Promise<number | undefined> {
  const { code, stdout } = await lab.calicoctl(['ipam', 'check', '--show-all-ips']);
  return code === 0 ? stdout.split(`handle warm-addr-${NODE};`).length - 1 : undefined;
}

/** Resolves when calicoctl says this. */
async function says(args: readonly string[], expected: RegExp): Promise<string> {
  let text = '';
  await eventually(
    async () => {
      const { code, stdout, stderr } = await lab.calicoctl(args);
      text = `${stdout}${stderr}`;
      return code === 0 && expected.test(stdout);
    },
    20_000,
    () => `calicoctl ${args.join(' ')} does not say ${expected}, but ${text}`,
  );
  return text;
}

async function isReached(from: Pod, address: string): Promise<void> {
  await eventually(
    async () => (await ping(from.netns, address)).received === 1,
    20_000,
    () => `${address} is not reached`,
  );
}

test('with etcd stopped a pod starts and is reached; afterwards it is like any other', async () => {
  const etcd = lab.process('etcd');
  await etcd.stop();
  let pod: Pod;
  try {
    pod = await lab.addPod('in-the-dark', NODE);
    await isReached(to, pod.ip);
  } finally {
    lab.startProcess(etcd);
  }
  await eventually(
    async () => {
      const { stdout } = await lab.calicoctl(['get', 'workloadendpoint', '-A']);
      return stdout.includes('in-the-dark');
    },
    60_000,
    () => 'the endpoint is not written after the return of etcd',
  );
  const shown = await says(['ipam', 'show', `--ip=${pod.ip}`], /pod: \S*in-the-dark/);
  assert.doesNotMatch(shown, /warm-addr/);
  await eventually(
    async () => (await heldReady()) === 2,
    60_000,
    () => 'the stock is not filled up again',
  );
  await says(['ipam', 'check', '--show-problem-ips'], /Check complete; found 0 problems\./);
  await lab.deletePod(pod);
  await says(['ipam', 'show', `--ip=${pod.ip}`], /is not assigned/);
});

test('a pool in use is split without the loss of a packet', async () => {
  const from = await lab.addPod('from', NODE);
  await isReached(from, to.ip);
  const traffic = await Traffic.start(from.netns, to.ip);
  const pool = 'default-ipv4-ippool';
  const split = await lab.calicoctlOk(['ipam', 'split', '4', `--name=${pool}`]);
  assert.match(split, new RegExp(`Successfully split IP pool ${pool} into 4 IP pools`));
  const check = /Found 4 active IP pools\.[^]*found 0 problems\./;
  await says(['ipam', 'check', '--show-problem-ips'], check);
  const another = await lab.addPod('another', NODE);
  await isReached(another, to.ip);
  const { sent, lost } = await traffic.stop();
  assert.deepEqual(lost, [], `packets lost, of ${sent}`);
  await lab.deletePod(another);
  await lab.deletePod(from);
});

test('a stop of felix gives the addresses back', async () => {
  await lab.process('felix', NODE).stop();
  await eventually(
    async () => (await heldReady()) === 0,
    20_000,
    () => 'the node still holds addresses',
  );
  const { faults } = await ownershipHistory(lab.topology.control);
  assert.deepEqual(faults, [], 'owners of addresses over the whole history');
});
