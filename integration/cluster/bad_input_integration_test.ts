// What users and networks get wrong: a clear error, and nothing changed.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  eventually,
  exec,
  execOk,
  Lab,
  type Pod,
  ping,
  planPod,
  podCall,
  runCni,
  WAIT_FLAGS,
} from '../lab/mod.ts';

let lab: Lab;
let pod: Pod;

before(async () => {
  lab = await Lab.start({ mode: 'bgp', nodes: 2 });
  await lab.configure();
  pod = await lab.addPod('healthy', 'k8s-node01');
});

after(async () => {
  await lab?.stop();
});

type CniError = { readonly code: number; readonly msg: string; readonly details?: string };

async function cniError(
  ...args: Parameters<typeof runCni> extends [unknown, ...infer R] ? R : never
): Promise<CniError> {
  const { code, stdout, stderr } = await runCni(lab.directory, ...args);
  assert.notEqual(code, 0, `expected a failure, got ${stdout}`);
  assert.equal(stderr.includes('    at '), false, `no stack trace: ${stderr}`);
  return JSON.parse(stdout) as CniError;
}

/** Everything that a failed call could have changed, as text: not what bgp and the kernel do meanwhile. */
async function footprint(): Promise<string> {
  const links = (await lab.exec('k8s-node01', ['ls', '/sys/class/net'])).stdout;
  const { stdout } = await lab.exec('k8s-node01', ['ip', 'route']);
  const routes = stdout.match(/^\S+ dev cali\S+/gm)?.join('\n');
  const blocks = await lab.calicoctlOk(['ipam', 'show', '--show-blocks']);
  const endpoints = await lab.calicoctlOk(['get', 'workloadendpoint', '-A']);
  return `${links}${routes}${blocks}${endpoints}`;
}

async function isReached(): Promise<void> {
  await eventually(
    async () => (await ping(lab.node('k8s-node01').namespace, pod.ip)).received === 1,
    20_000,
    () => `${pod.ip} is not reached`,
  );
}

async function unchanged(action: () => Promise<void>): Promise<void> {
  const was = await footprint();
  await action();
  assert.equal(await footprint(), was);
}

test('CNI: broken netconf, missing fields and odd environments are told apart and change nothing', async () => {
  const node = lab.node('k8s-node01');
  const call = podCall(planPod(lab.topology.prefix, node, 'bad', 'default', {}));
  await unchanged(async () => {
    const broken = await cniError(node, 'ADD', { ...call, config: '{"cniVersion": "1.1.0", ' });
    assert.equal(broken.code, 6, 'decoding failure');
    const version = await cniError(node, 'ADD', { ...call, config: { cniVersion: '9.9.9' } });
    assert.equal(version.code, 1, 'incompatible version');
    assert.match(version.msg + version.details, /1\.1\.0/);
    const noContainer = await cniError(node, 'ADD', {
      netns: call.netns ?? '',
      args: call.args ?? '',
    });
    assert.equal(noContainer.code, 4);
    assert.match(noContainer.msg, /CNI_CONTAINERID/);
    const badName = await cniError(node, 'ADD', {
      ...call,
      interfaceName: 'a name/with everything',
    });
    assert.equal(badName.code, 4);
    const noNamespace = await cniError(node, 'ADD', {
      ...call,
      netns: '/run/netns/does-not-exist',
    });
    assert.match(noNamespace.msg + noNamespace.details, /does-not-exist/);
    const unknownPool = await cniError(node, 'ADD', {
      ...call,
      netns: `/run/netns/${pod.netns}`,
      interfaceName: 'eth1',
      config: { ipam: { type: 'calico-ipam', ipv4_pools: ['no-such-pool'] } },
    });
    assert.match(unknownPool.msg + unknownPool.details, /no-such-pool/);
  });
});

test('CNI: a container that is already there under another pod is refused, the same one is repeated', async () => {
  const again = await runCni(lab.directory, pod.node, 'ADD', podCall(pod));
  assert.equal(again.code, 0, again.stdout);
  assert.ok(again.stdout.includes(pod.ip));
  const other = { ...podCall(pod), args: 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=somebody-else' };
  await unchanged(async () => {
    const refused = await cniError(pod.node, 'ADD', other);
    assert.match(refused.msg + refused.details, /healthy|already|in use/);
  });
  await isReached();
});

test('CNI: an exhausted pool says so; what was asked for elsewhere is not touched', async () => {
  await lab.calicoctlOk(['apply', '-f', '-'], {
    input:
      'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: tiny}\nspec: {cidr: 10.99.0.0/31, blockSize: 32}\n',
  });
  const config = { ipam: { type: 'calico-ipam', ipv4_pools: ['tiny'] } };
  const node = lab.node('k8s-node01');
  const plans = ['t1', 't2', 't3'].map((name) =>
    planPod(lab.topology.prefix, node, name, 'default', {}),
  );
  const outcomes = [];
  for (const plan of plans) {
    await execOk(['ip', 'netns', 'add', plan.netns]);
    outcomes.push(await runCni(lab.directory, node, 'ADD', podCall(plan, config)));
  }
  assert.deepEqual(
    outcomes.map(({ code }) => code === 0),
    [true, true, false],
    JSON.stringify(outcomes),
  );
  assert.match(outcomes[2]?.stdout ?? '', /tiny|exhausted|No IPs available|no free/i);
  for (const plan of plans) {
    assert.equal((await runCni(lab.directory, node, 'DEL', podCall(plan, config))).code, 0);
    await exec(['ip', 'netns', 'delete', plan.netns]);
  }
});

test('calicoctl: a wrong field names file, document and field, and none of the file is applied', async () => {
  const good =
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: fine}\nspec: {cidr: 10.98.0.0/16}\n';
  const bad =
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: wrong}\nspec: {cidr: 10.97.0.0/16, blokSize: 26}\n';
  const { code, stdout, stderr } = await lab.calicoctl(['apply', '-f', '-'], {
    input: `${good}---\n${bad}`,
  });
  assert.notEqual(code, 0);
  assert.match(stdout + stderr, /blokSize/);
  assert.match(stdout + stderr, /document 2|#2|2\b/);
  const pools = await lab.calicoctlOk(['get', 'ippool']);
  assert.doesNotMatch(pools, /wrong|fine/);
  const value = await lab.calicoctl(['apply', '-f', '-'], {
    input: bad.replace('blokSize: 26', 'blockSize: 99'),
  });
  assert.match(value.stdout + value.stderr, /blockSize.*99.*20.*32/s);
});

test('NATS: garbage on every subject is skipped; changes still arrive', async () => {
  const where = 'nats://192.168.80.10:4222';
  const subjects = [
    'calico.resource.ippools._.garbage',
    'calico.resource.nodes._.k8s-node01',
    'calico.resource.nonsense',
    'calico.relay.synced',
    'calico.node.k8s-node01.applied.felix',
    'calico.node.k8s-node01.peers',
    'calico.node.nobody.health.felix',
  ];
  const script = `
    import { connect } from '@nats-io/transport-node';
    const nats = await connect({ servers: '${where}' });
    for (const subject of ${JSON.stringify(subjects)})
      for (const size of [0, 1, 7, 300]) nats.publish(subject, Buffer.from('${randomBytes(300).toString('hex')}', 'hex').subarray(0, size));
    await nats.flush(); await nats.close();`;
  const sent = await lab.exec('control', ['node', '--input-type=module', '-e', script], {
    cwd: `${import.meta.dirname}/..`,
  });
  assert.equal(sent.code, 0, sent.stderr);
  const manifest =
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: after}\nspec: {cidr: 10.96.0.0/16}\n';
  const applied = await lab.calicoctlOk(['apply', ...WAIT_FLAGS, '-f', '-'], {
    input: manifest,
  });
  assert.match(applied, /2\/2 nodes/);
  for (const managed of lab.processes)
    assert.ok(managed.running, `${managed.plan.service} on ${managed.plan.node} has ended`);
  await isReached();
});
