// Mutual TLS everywhere: the cluster works with it, and nobody without a certificate of its authority
// gets in.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  type Certificate,
  certificateOf,
  eventually,
  inNamespace,
  Lab,
  makeAuthority,
  makeCertificate,
  ping,
  ROOT,
  runtimeCommand,
} from '../lab/mod.ts';

const CONTROL = '192.168.80.10';
/** With the server's reason, or without when its closing was faster than its alert. */
const REFUSED = /refuses our (?:TLS )?certificate/;

const NETWORK_SET = `apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: { name: renewed }
spec: { nets: [192.0.2.0/24] }
`;

let lab: Lab;
let member: Certificate;
/** Signed by another authority; trusts ours, so that it is the servers that refuse. */
let stranger: Certificate;

before(async () => {
  lab = await Lab.start({ mode: 'vxlan', nodes: 2, tls: true });
  await lab.configure();
  member = certificateOf(lab.directory, 'control');
  await makeAuthority(lab.directory, 'other');
  const { cert, key } = await makeCertificate(lab.directory, 'stranger', [CONTROL], 'other');
  stranger = { ca: member.ca, cert, key };
});

after(() => lab?.stop());

test('pods on two nodes reach each other, and the control plane says that it uses TLS', async () => {
  const from = await lab.addPod('from', 'k8s-master');
  const to = await lab.addPod('to', 'k8s-node01');
  await eventually(
    async () => (await ping(from.netns, to.ip, { count: 3 })).received === 3,
    20_000,
    () => 'the pods do not reach each other',
  );
  assert.match(await lab.calicoctlOk(['get', 'workloadendpoints']), /from[\s\S]*to/);
  await lab.deletePod(from);
  for (const service of ['api', 'ipam', 'status']) {
    const log = lab.process(service).log();
    assert.match(log, new RegExp(`"address":"${CONTROL}:\\d+","security":"tls"`), service);
    assert.doesNotMatch(log, /plain text/, service);
  }
});

test('api refuses plain text, no certificate, and one of another authority', async () => {
  const attempts: [Record<string, string>, RegExp][] = [
    [{ CALICO_INSECURE: 'true' }, /the other end closed the connection at once/],
    [{ CALICO_TLS_CA: member.ca }, REFUSED],
    [callEnvironment(stranger), REFUSED],
    [callEnvironment({ ...stranger, ca: stranger.cert }), /self-signed|unable to/],
  ];
  for (const [env, expected] of attempts) {
    const { code, stderr } = await lab.calicoctl(['get', 'nodes'], {
      env: { PATH: process.env['PATH'] ?? '', CALICO_API_ADDRESS: `${CONTROL}:5671`, ...env },
    });
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
});

test('etcd refuses a client without a certificate of its authority', async () => {
  const health = (seconds: number, ...files: string[]) =>
    lab.exec('control', [
      'etcdctl',
      `--endpoints=https://${CONTROL}:2379`,
      `--dial-timeout=${seconds}s`,
      `--command-timeout=${seconds}s`,
      `--cacert=${member.ca}`,
      ...files,
      'get',
      '/calico',
      '--prefix',
      '--keys-only',
      '--limit=1',
    ]);
  const known = await health(30, '--cert', member.cert, '--key', member.key);
  assert.equal(known.code, 0, known.stderr);
  assert.notEqual((await health(2)).code, 0);
  assert.notEqual((await health(2, '--cert', stranger.cert, '--key', stranger.key)).code, 0);
});

test('NATS refuses a client without a certificate', async () => {
  const refused = /Cannot connect to NATS .*: NATS .*refuses our (?:TLS )?certificate/;
  await runUntil([refused], 'status', { NATS_CA_FILE: member.ca });
});

test('services with a certificate of another authority are refused and say so', async () => {
  const { cert, key } = stranger;
  const nats = { NATS_CA_FILE: member.ca, NATS_CERT_FILE: cert, NATS_KEY_FILE: key };
  const status = await runUntil([REFUSED], 'status', { ...nats, ...callEnvironment(stranger) });
  assert.doesNotMatch(status, /Connected to NATS/);
  const etcd = {
    ETCD_ENDPOINTS: `https://${CONTROL}:2379`,
    ETCD_CA_CERT_FILE: member.ca,
    ETCD_CERT_FILE: cert,
    ETCD_KEY_FILE: key,
  };
  await runUntil([/etcd is unreachable/, REFUSED], 'ipam', etcd);
});

test('a server whose certificate is for another address is not trusted', async (context) => {
  const { cert, key } = await makeCertificate(lab.directory, 'elsewhere', ['192.168.80.11']);
  const args = ['--trusted-ca-file', member.ca, '--cert-file', cert, '--key-file', key];
  const impostor = start([
    'etcd',
    ...args,
    `--data-dir=${lab.directory}/impostor`,
    `--listen-client-urls=https://${CONTROL}:12379`,
    `--advertise-client-urls=https://${CONTROL}:12379`,
    '--listen-peer-urls=http://127.0.0.1:12380',
    '--initial-advertise-peer-urls=http://127.0.0.1:12380',
    '--initial-cluster=default=http://127.0.0.1:12380',
  ]);
  context.after(impostor.stop);
  await impostor.says([/serving client (?:requests|traffic)/]);
  const log = await runUntil([/etcd is unreachable/], 'ipam', {
    ETCD_ENDPOINTS: `https://${CONTROL}:12379`,
    ETCD_CA_CERT_FILE: member.ca,
    ETCD_CERT_FILE: member.cert,
    ETCD_KEY_FILE: member.key,
  });
  assert.doesNotMatch(log, /reachable again/);
  await impostor.stop();
});

test('certificates of another authority take over while every service runs on', async () => {
  await makeAuthority(lab.directory, 'next');
  const owners = [{ name: 'control', address: CONTROL }, ...lab.topology.nodes];
  for (const { name, address } of owners) {
    await makeCertificate(lab.directory, name, [address], 'next');
  }
  // Whoever is asked anew trusts the new authority only.
  copyFileSync(certificateOf(lab.directory, 'next').cert, member.ca);
  const pids = () => lab.processes.map(({ pid }) => pid);
  const [etcd, nats] = [lab.process('etcd'), lab.process('nats')];
  for (const broker of [etcd, nats]) {
    await broker.stop();
    lab.startProcess(broker);
  }
  const running = pids();
  let said = '';
  await eventually(
    async () => {
      const flags = ['--wait', '--timeout', '20s', '-f', '-'];
      const { stdout, stderr } = await lab.calicoctl(['apply', ...flags], { input: NETWORK_SET });
      said = `${stdout}${stderr}`;
      return stdout.includes('2/2 nodes');
    },
    120_000,
    () => `the cluster does not come back: ${said}`,
  );
  assert.deepEqual(pids(), running);
});

function callEnvironment({ ca, cert, key }: Certificate): Record<string, string> {
  return { CALICO_TLS_CA: ca, CALICO_TLS_CERT: cert, CALICO_TLS_KEY: key };
}

/** What the service says, started beside the cluster's own, until it has said all of this. */
async function runUntil(
  said: readonly RegExp[],
  service: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const program = start(runtimeCommand('node', `services/${service}/main.ts`), {
    CALICO_LISTEN: `unix:${lab.directory}/control/run/extra.sock`,
    CALICO_HTTP_LISTEN: '127.0.0.1:0',
    CALICO_API_ADDRESS: `unix:${lab.directory}/control/run/api.sock`,
    NATS_URL: `tls://${CONTROL}:4222`,
    ...env,
  });
  try {
    await program.says(said);
  } finally {
    await program.stop();
  }
  return program.log();
}

/** A program in the control namespace. */
function start(command: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [file = '', ...args] = inNamespace(lab.topology.control, command);
  const child = spawn(file, args, {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', ...env },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = once(child, 'exit');
  return {
    log: () => log,
    says: (patterns: readonly RegExp[]) =>
      eventually(
        () => patterns.every((pattern) => pattern.test(log)),
        30_000,
        () => `${file} ${args.join(' ')} does not say ${patterns.join(' and ')}, but\n${log}`,
      ),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
