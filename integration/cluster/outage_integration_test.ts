// etcd, NATS or both away: traffic goes on, ADD says "try again later", and nothing has to be restarted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  connects,
  eventually,
  exec,
  isolationPolicy,
  Lab,
  type Pod,
  ping,
  planPod,
  podCall,
  runCni,
  Traffic,
  WAIT_FLAGS,
} from '../lab/mod.ts';
import { listen } from './listener.ts';

let lab: Lab;
let from: Pod;
let to: Pod;
let stopListening: () => void;

before(async () => {
  lab = await Lab.start({ mode: 'vxlan' });
  await lab.configure();
  from = await lab.addPod('from', 'k8s-node01', { labels: { role: 'stranger' } });
  to = await lab.addPod('to', 'k8s-node02', { labels: { role: 'target' } });
  stopListening = await listen(to, 80);
  await eventually(
    () => connects(from.netns, to.ip, 80),
    20_000,
    () => 'the pods do not reach each other',
  );
});

after(async () => {
  stopListening?.();
  await lab?.stop();
});

async function assertForwarding(): Promise<void> {
  const { sent, received } = await ping(from.netns, to.ip, {
    count: 50,
    intervalSeconds: 0.02,
    timeoutSeconds: 5,
  });
  assert.equal(received, sent, 'traffic goes on');
}

/** Longer than a lost first packet of a connection takes. */
const PATIENTLY_SECONDS = 5;

/** Resolves when all nodes have followed a change that concerns none of them. */
async function follow(): Promise<void> {
  const set = `apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: followed}
spec: {nets: [192.0.2.0/24]}
`;
  const applied = await lab.calicoctlOk(['apply', ...WAIT_FLAGS, '-f', '-'], { input: set });
  assert.match(applied, /3\/3 nodes/);
}

/** An ADD that must fail with CNI error 11 and leave nothing on the node. */
async function assertAddFails(name: string): Promise<void> {
  const node = lab.node('k8s-node01');
  const plan = planPod(lab.topology.prefix, node, name, 'default', {});
  await exec(['ip', 'netns', 'add', plan.netns]);
  const devices = async (): Promise<string> =>
    (await lab.exec(node.name, ['ls', '/sys/class/net'])).stdout;
  const had = await devices();
  const { code, stdout } = await runCni(lab.directory, node, 'ADD', {
    ...podCall(plan),
    timeoutMs: 120_000,
  });
  assert.notEqual(code, 0);
  assert.equal((JSON.parse(stdout) as { code: number }).code, 11, stdout);
  assert.equal(await devices(), had, 'no interface is left');
  const inside = await exec(['ip', '-netns', plan.netns, '-o', 'link', 'show', 'eth0']);
  assert.notEqual(inside.code, 0, 'no eth0 is left in the pod');
  await exec(['ip', 'netns', 'delete', plan.netns]);
}

async function assertAddSucceeds(name: string): Promise<void> {
  let pod: Pod | undefined;
  await eventually(
    async () => {
      pod = await lab.addPod(name, 'k8s-node01').catch(() => undefined);
      return pod !== undefined;
    },
    20_000,
    () => `ADD of "${name}" still fails after the return`,
  );
  if (pod === undefined) return;
  await eventually(
    async () => (await ping((pod as Pod).netns, to.ip)).received === 1,
    10_000,
    () => `"${name}" cannot reach ${to.ip}`,
  );
  await lab.deletePod(pod);
}

test('etcd stopped: traffic goes on, ADD fails with code 11 and leaves nothing; afterwards all is well', async () => {
  const etcd = lab.process('etcd');
  await etcd.stop();
  await assertForwarding();
  await assertAddFails('no-etcd');
  lab.startProcess(etcd);
  await assertAddSucceeds('after-etcd');
});

test('NATS stopped: a policy made meanwhile is enforced through api, and changes arrive after the return', async () => {
  const nats = lab.process('nats');
  await nats.stop();
  await assertForwarding();
  assert.equal(await connects(from.netns, to.ip, 80, PATIENTLY_SECONDS), true);
  const policy = isolationPolicy('closed', `role == 'target'`, `role == 'nobody'`);
  await lab.calicoctlOk(['apply', '-f', '-'], { input: policy });
  await eventually(
    async () => !(await connects(from.netns, to.ip, 80)),
    20_000,
    () => 'the policy made while NATS was away is not enforced',
  );
  lab.startProcess(nats);
  await lab.calicoctlOk(['delete', 'networkpolicy', 'closed', '-n', 'default']);
  await eventually(
    () => connects(from.netns, to.ip, 80),
    30_000,
    () => 'a change made after the return of NATS does not arrive',
  );
  await assertAddSucceeds('after-nats');
});

test('NATS comes back without its data: nobody takes an empty stream for the truth', async () => {
  const nats = lab.process('nats');
  await nats.stop();
  await exec(['rm', '-rf', `${lab.directory}/control/nats`]);
  const traffic = await Traffic.start(from.netns, to.ip);
  lab.startProcess(nats);
  await sleep(5_000); // the stream is filled again
  await follow();
  const { sent, lost } = await traffic.stop();
  assert.deepEqual(lost, [], `packets lost while the stream is filled again, of ${sent}`);
  const policy = isolationPolicy('closed', `role == 'target'`, `role == 'nobody'`);
  const applied = await lab.calicoctlOk(['apply', ...WAIT_FLAGS, '-f', '-'], {
    input: policy,
  });
  assert.match(applied, /3\/3 nodes/);
  assert.equal(await connects(from.netns, to.ip, 80), false);
  await lab.calicoctlOk(['delete', 'networkpolicy', 'closed', '-n', 'default']);
});

test('etcd and NATS stopped: traffic goes on, DEL succeeds, and what it owes is paid after the return', async () => {
  const doomed = await lab.addPod('doomed', 'k8s-node02');
  const [etcd, nats] = [lab.process('etcd'), lab.process('nats')];
  await Promise.all([etcd.stop(), nats.stop()]);
  await assertForwarding();
  await assertAddFails('no-etcd-no-nats');
  await lab.deletePod(doomed);
  lab.startProcess(etcd);
  lab.startProcess(nats);
  await eventually(
    async () => {
      const shown = await lab.calicoctl(['ipam', 'show', `--ip=${doomed.ip}`]);
      const endpoints = await lab.calicoctl(['get', 'workloadendpoint', '-A']);
      return (
        shown.stdout.includes('is not assigned') &&
        endpoints.code === 0 &&
        !endpoints.stdout.includes('doomed')
      );
    },
    40_000,
    () => 'the deleted pod still holds its address or its endpoint',
  );
  await assertAddSucceeds('after-both');
});

test('after all outages every record agrees', async () => {
  let check = '';
  await eventually(
    async () => {
      // What an ADD that was given up had assigned after all may be on its way back.
      check = (await lab.calicoctl(['ipam', 'check', '--show-problem-ips'])).stdout;
      return /Check complete; found 0 problems\./.test(check);
    },
    20_000,
    () => check,
  );
});
