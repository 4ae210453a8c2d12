// A pod starts while etcd is down, with an address that its node holds ready; after the return all
// records agree. About 25 s.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ownershipHistory } from '../ipam/ownership.ts';
import { eventually, Lab, type Pod, ping } from '../lab/mod.ts';

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

async function heldReady(): Promise<number> {
  const { code, stdout } = await lab.calicoctl(['ipam', 'check', '--show-all-ips']);
  assert.equal(code, 0, stdout);
  return stdout.split(`handle warm-addr-${NODE};`).length - 1;
}

test('with etcd stopped a pod starts and is reached; afterwards it is like any other', async () => {
  const etcd = lab.process('etcd');
  await etcd.stop();
  let pod: Pod;
  try {
    pod = await lab.addPod('in-the-dark', NODE);
    assert.equal((await ping(to.netns, pod.ip)).received, 1, `${pod.ip} is not reached`);
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
  const shown = await lab.calicoctlOk(['ipam', 'show', `--ip=${pod.ip}`]);
  assert.match(shown, /pod: \S*in-the-dark/);
  assert.doesNotMatch(shown, /warm-addr/);
  await eventually(
    async () => (await heldReady()) === 2,
    60_000,
    () => 'the stock is not filled up again',
  );
  const check = await lab.calicoctlOk(['ipam', 'check', '--show-problem-ips']);
  assert.match(check, /Check complete; found 0 problems\./, check);
  await lab.deletePod(pod);
  assert.match(await lab.calicoctlOk(['ipam', 'show', `--ip=${pod.ip}`]), /is not assigned/);
});

test('a pool in use is split without the loss of a packet', async () => {
  const from = await lab.addPod('from', NODE);
  const traffic = ping(from.netns, to.ip, { count: 150, intervalSeconds: 0.02, timeoutSeconds: 2 });
  const pool = 'default-ipv4-ippool';
  const split = await lab.calicoctlOk(['ipam', 'split', '4', `--name=${pool}`]);
  assert.match(split, new RegExp(`Successfully split IP pool ${pool} into 4 IP pools`));
  const { sent, received } = await traffic;
  assert.equal(received, sent);
  const check = await lab.calicoctlOk(['ipam', 'check', '--show-problem-ips']);
  assert.match(check, /Found 4 active IP pools\.[^]*found 0 problems\./, check);
  const another = await lab.addPod('another', NODE);
  assert.equal((await ping(another.netns, to.ip)).received, 1);
  await lab.deletePod(another);
  await lab.deletePod(from);
});

test('a stop of felix gives the addresses back', async () => {
  await lab.process('felix', NODE).stop();
  assert.equal(await heldReady(), 0);
  const { faults } = await ownershipHistory(lab.topology.control);
  assert.deepEqual(faults, [], 'owners of addresses over the whole history');
});
