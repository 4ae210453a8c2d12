import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CniError, ErrorCode } from './cni_error.ts';
import type { Felix, MethodName } from './felix_contract.ts';
import { invoke } from './plugin.ts';
import { validateCniResult } from './result_schema.ts';
import { SUPPORTED_VERSIONS } from './version.ts';

const ADDED = {
  hostInterface: 'cali918b33f2bbe',
  hostMac: 'ee:ee:ee:ee:ee:ee',
  containerMac: '66:00:00:00:00:01',
  mtu: 1480,
  addresses: ['10.244.58.193/32'],
  routes: [
    { destination: '169.254.1.1/32', gateway: '' },
    { destination: '0.0.0.0/0', gateway: '169.254.1.1' },
  ],
};

class FakeFelix implements Felix {
  readonly calls: [MethodName, unknown][] = [];
  readonly opened: string[] = [];
  isClosed = false;
  answers: Partial<Record<MethodName, unknown>> = { AddWorkload: ADDED };
  failure: CniError | undefined;

  call(method: MethodName, request: unknown): Promise<never> {
    this.calls.push([method, request]);
    if (this.failure) return Promise.reject(this.failure);
    return Promise.resolve((this.answers[method] ?? {}) as never);
  }

  close(): void {
    this.isClosed = true;
  }
}

const ENVIRONMENT = {
  CNI_CONTAINERID: '4c0ffee',
  CNI_NETNS: '/var/run/netns/x',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=busybox',
} as const;
const CONFIG = { cniVersion: '1.1.0', name: 'net', type: 'calico', runDir: '/run/y' } as const;
const ATTACHMENT = {
  containerId: '4c0ffee',
  netns: '/var/run/netns/x',
  interfaceName: 'eth0',
  network: 'net',
  namespace: 'default',
  pod: 'busybox',
};

function run(
  command: string,
  config: object = {},
  felix = new FakeFelix(),
  environment: Record<string, string> = {},
): Promise<string> {
  return invoke({
    variables: { ...ENVIRONMENT, ...environment, CNI_COMMAND: command },
    input: JSON.stringify({ ...CONFIG, ...config }),
    openFelix: (runDir) => {
      felix.opened.push(runDir);
      return Promise.resolve(felix);
    },
  });
}

async function refused(running: Promise<string>, code: number, pattern: RegExp): Promise<void> {
  await assert.rejects(running, (error) => {
    assert.ok(error instanceof CniError, String(error));
    assert.match(error.message, pattern);
    assert.equal(error.code, code);
    return true;
  });
}

test('ADD asks felix of the run directory and answers a conforming result in every version', async () => {
  for (const cniVersion of SUPPORTED_VERSIONS) {
    const felix = new FakeFelix();
    const result: unknown = JSON.parse(await run('ADD', { cniVersion }, felix));
    assert.deepEqual(validateCniResult(result, cniVersion), []);
    assert.deepEqual(felix.opened, ['/run/y']);
    assert.ok(felix.isClosed);
  }
});

test('ADD answers host end first, container end with its sandbox second', async () => {
  assert.deepEqual(JSON.parse(await run('ADD')), {
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'cali918b33f2bbe', mac: 'ee:ee:ee:ee:ee:ee', mtu: 1480 },
      { name: 'eth0', mac: '66:00:00:00:00:01', mtu: 1480, sandbox: '/var/run/netns/x' },
    ],
    ips: [{ interface: 1, address: '10.244.58.193/32' }],
    routes: [
      { dst: '169.254.1.1/32', scope: 253 },
      { dst: '0.0.0.0/0', gw: '169.254.1.1' },
    ],
    dns: {},
  });
});

test('ADD in an older version has the IP version and neither MTU nor scope', async () => {
  const { interfaces, ips, routes } = JSON.parse(await run('ADD', { cniVersion: '0.4.0' }));
  assert.deepEqual(ips, [{ version: '4', interface: 1, address: '10.244.58.193/32' }]);
  assert.equal(interfaces[0].mtu, undefined);
  assert.deepEqual(routes[0], { dst: '169.254.1.1/32' });
});

test('ADD hands over what the configuration and the arguments say', async () => {
  const felix = new FakeFelix();
  const config = {
    mtu: 1400,
    ipam: { ipv4_pools: ['10.244.0.0/16'], assign_ipv6: true, assign_ipv4: false },
    args: { cni: { labels: [{ key: 'app', value: 'x' }], ips: ['10.244.0.9'] } },
  };
  const args = `${ENVIRONMENT.CNI_ARGS};IP=10.244.0.9`;
  await run('ADD', config, felix, { CNI_ARGS: args });
  assert.deepEqual(felix.calls, [
    [
      'AddWorkload',
      {
        ...ATTACHMENT,
        labels: { app: 'x' },
        ipv4Pools: ['10.244.0.0/16'],
        ipv6Pools: [],
        requestedAddresses: ['10.244.0.9'],
        mtu: 1400,
        ports: [],
        assignIpv6: true,
        skipIpv4: true,
        serviceAccount: '',
      },
    ],
  ]);
});

test('ADD after another plugin keeps what that one answered', async () => {
  const prevResult = {
    cniVersion: '1.1.0',
    interfaces: [{ name: 'other0', sandbox: '/var/run/netns/x' }],
    ips: [{ address: '192.0.2.1/24', interface: 0 }],
    dns: { domain: 'example.org' },
  };
  const result = JSON.parse(await run('ADD', { prevResult }));
  assert.deepEqual(validateCniResult(result, '1.1.0'), []);
  assert.deepEqual(
    result.interfaces.map(({ name }: { name: string }) => name),
    ['other0', 'cali918b33f2bbe', 'eth0'],
  );
  assert.equal(result.ips[1].interface, 2);
  assert.deepEqual(result.dns, { domain: 'example.org' });
});

test('a failure of felix is passed on, and the connection closed', async () => {
  const felix = new FakeFelix();
  felix.failure = new CniError(ErrorCode.TryAgainLater, 'Cannot reach ipam');
  await refused(run('ADD', {}, felix), 11, /^Cannot reach ipam$/);
  assert.ok(felix.isClosed);
});

test('nothing is sent when anything is wrong', async () => {
  const felix = new FakeFelix();
  await refused(run('ADD', { mtu: -1 }, felix), 7, /mtu -1/);
  await refused(run('ADD', {}, felix, { CNI_IFNAME: 'a/b' }), 4, /CNI_IFNAME "a\/b"/);
  await refused(run('ADD', {}, felix, { CNI_ARGS: 'IP=x' }), 4, /IP of CNI_ARGS "x"/);
  await refused(run('NOPE', {}, felix), 4, /CNI_COMMAND "NOPE"/);
  assert.deepEqual([felix.opened, felix.calls], [[], []]);
});

test('DEL removes the workload, also without a namespace, and prints nothing', async () => {
  const felix = new FakeFelix();
  assert.equal(await run('DEL', {}, felix, { CNI_NETNS: '' }), '');
  assert.deepEqual(felix.calls, [['RemoveWorkload', { ...ATTACHMENT, netns: '' }]]);
});

test('CHECK compares what prevResult says of the interface', async () => {
  const felix = new FakeFelix();
  const prevResult: unknown = JSON.parse(await run('ADD'));
  assert.equal(await run('CHECK', { prevResult }, felix), '');
  assert.deepEqual(felix.calls, [
    [
      'CheckWorkload',
      {
        ...ATTACHMENT,
        expectedAddresses: ['10.244.58.193/32'],
        expectedHostInterface: 'cali918b33f2bbe',
      },
    ],
  ]);
});

test('CHECK needs a usable prevResult', async () => {
  await refused(run('CHECK'), 7, /prevResult is missing/);
  await refused(run('CHECK', { prevResult: {} }), 7, /it has no address for interface "eth0"/);
  await refused(run('CHECK', { prevResult: { ips: [1] } }), 7, /prevResult.ips: a list of objects/);
});

test('STATUS succeeds when felix is ready, and is 50 or 51 with the reasons when not', async () => {
  const felix = new FakeFelix();
  felix.answers = { GetReadiness: { ready: true, reasons: [], limited: false } };
  assert.equal(await run('STATUS', {}, felix), '');
  felix.answers = { GetReadiness: { ready: false, reasons: ['no filter'], limited: true } };
  await refused(run('STATUS', {}, felix), 51, /^Cannot add containers now: no filter$/);
  const reasons = ['not in sync', 'no ipam'];
  felix.answers = { GetReadiness: { ready: false, reasons, limited: false } };
  await refused(run('STATUS', {}, felix), 50, /^Cannot add containers now: not in sync; no ipam$/);
  felix.failure = new CniError(ErrorCode.TryAgainLater, 'Cannot reach felix');
  await refused(run('STATUS', {}, felix), 50, /^Cannot reach felix$/);
});

test('GC hands over the valid attachments, and refuses to guess them', async () => {
  const felix = new FakeFelix();
  const attachments = { 'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }] };
  assert.equal(await run('GC', attachments, felix), '');
  assert.deepEqual(felix.calls, [
    [
      'CollectGarbage',
      { network: 'net', validAttachments: [{ containerId: 'a', interfaceName: 'eth0' }] },
    ],
  ]);
  await refused(run('GC'), 7, /cni.dev\/valid-attachments is missing/);
});

test('commands that a version does not have are refused', async () => {
  await refused(run('CHECK', { cniVersion: '0.3.1' }), 1, /CHECK with cniVersion "0.3.1"/);
  await refused(run('STATUS', { cniVersion: '1.0.0' }), 1, /STATUS with cniVersion "1.0.0"/);
  await refused(run('GC', { cniVersion: '1.0.0' }), 1, /exists since 1.1.0/);
});

async function answer(input: string): Promise<unknown> {
  const text = await invoke({
    variables: { CNI_COMMAND: 'VERSION' },
    input,
    openFelix: () => assert.fail('VERSION needs no felix'),
  });
  return JSON.parse(text);
}

test('VERSION answers in the version of the input, whatever the input', async () => {
  const supportedVersions = SUPPORTED_VERSIONS;
  assert.deepEqual(await answer('{"cniVersion":"0.4.0"}'), {
    cniVersion: '0.4.0',
    supportedVersions,
  });
  assert.deepEqual(await answer('{"cniVersion":"9"}'), { cniVersion: '1.1.0', supportedVersions });
  assert.deepEqual(await answer(''), { cniVersion: '1.1.0', supportedVersions });
});

test('a node name is compared with that of the felix that answers', async () => {
  const felix = new FakeFelix();
  felix.answers = { ...felix.answers, GetNodeInfo: { node: 'k8s-node02' } };
  await run('ADD', { nodename: 'k8s-node02' }, felix);
  await refused(
    run('ADD', { nodename: 'k8s-node01' }, felix),
    7,
    /"\/run\/y" is that of node "k8s/,
  );
  assert.equal(felix.calls.filter(([method]) => method === 'AddWorkload').length, 1);
});

test("the node's name in a file is compared, and waited for", async () => {
  const directory = mkdtempSync(join(tmpdir(), 'calico-cni-'));
  try {
    const felix = new FakeFelix();
    felix.answers = { ...felix.answers, GetNodeInfo: { node: 'k8s-node02' } };
    const path = join(directory, 'nodename');
    await refused(run('ADD', { nodename_file: path }, felix), 11, /felix writes it when it starts/);
    await run('ADD', { nodename_file: path, nodename_file_optional: true }, felix);
    writeFileSync(path, 'k8s-node02\n');
    await run('ADD', { nodename_file: path }, felix);
    writeFileSync(path, 'k8s-node01');
    await refused(run('ADD', { nodename_file: path }, felix), 7, /it names node "k8s-node01"/);
    assert.equal(felix.calls.filter(([method]) => method === 'AddWorkload').length, 2);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
