// Which programs run where, with which environment.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Certificate, certificateOf } from './certificates.ts';
import type { ProcessPlan } from './managed_process.ts';
import { CONTROL_ADDRESS, type NodePlan, type Topology } from './topology.ts';
import { patient } from './wait.ts';

export const RUNTIMES = ['node', 'deno'] as const;
export type Runtime = (typeof RUNTIMES)[number];

export const ROOT = join(import.meta.dirname, '..', '..');
const BIN = join(ROOT, 'node_modules', '.bin');

export const PORTS = { etcd: 2379, nats: 4222, api: 5671, ipam: 5672, status: 5673 } as const;

/** Files of one node (or of "control") inside the lab's directory. */
export function nodeDirectories(labDirectory: string, node: string) {
  const base = join(labDirectory, node);
  return { base, run: join(base, 'run'), lib: join(base, 'lib'), log: join(base, 'log') };
}

export function runtimeCommand(runtime: Runtime, file: string): string[] {
  const path = join(ROOT, file);
  return runtime === 'node'
    ? [join(BIN, 'node'), path]
    : [denoProgram(), 'run', '-A', '--no-check', '--quiet', path];
}

/**
 * The program itself: the launcher in .bin starts it as a child, which SIGKILL to the launcher leaves
 * running. It is unpacked by the launcher's first run.
 */
function denoProgram(): string {
  const program = join(ROOT, 'node_modules', 'deno', 'deno');
  return existsSync(program) ? program : join(BIN, 'deno');
}

/** Where clients of a node find the control plane. */
export function clientEnvironment(runDirectory: string, tls?: Certificate): Record<string, string> {
  return {
    CALICO_API_ADDRESS: `${CONTROL_ADDRESS}:${PORTS.api}`,
    CALICO_IPAM_ADDRESS: `${CONTROL_ADDRESS}:${PORTS.ipam}`,
    CALICO_STATUS_ADDRESS: `${CONTROL_ADDRESS}:${PORTS.status}`,
    CALICO_RUN_DIR: runDirectory,
    CALICO_CALL_TIMEOUT: `${patient(30)}s`,
    ...(tls === undefined
      ? { CALICO_INSECURE: 'true' }
      : { CALICO_TLS_CA: tls.ca, CALICO_TLS_CERT: tls.cert, CALICO_TLS_KEY: tls.key }),
  };
}

/** Where services find etcd and NATS. */
function brokerEnvironment(tls?: Certificate): Record<string, string> {
  const etcd = `${CONTROL_ADDRESS}:${PORTS.etcd}`;
  const nats = `${CONTROL_ADDRESS}:${PORTS.nats}`;
  // An etcd that is away refuses at once; one on a busy machine is only slow.
  const patience = { ETCD_TIMEOUT_SECONDS: String(Math.min(Math.ceil(patient(8)), 60)) };
  if (tls === undefined) {
    return { ...patience, ETCD_ENDPOINTS: `http://${etcd}`, NATS_URL: `nats://${nats}` };
  }
  return {
    ...patience,
    ETCD_ENDPOINTS: `https://${etcd}`,
    ETCD_CA_CERT_FILE: tls.ca,
    ETCD_CERT_FILE: tls.cert,
    ETCD_KEY_FILE: tls.key,
    NATS_URL: `tls://${nats}`,
    NATS_CA_FILE: tls.ca,
    NATS_CERT_FILE: tls.cert,
    NATS_KEY_FILE: tls.key,
  };
}

export function controlPlans(
  topology: Topology,
  labDirectory: string,
  runtime: Runtime,
  detached: boolean,
  withTls = false,
): ProcessPlan[] {
  const { base, run, log } = nodeDirectories(labDirectory, 'control');
  const tls = withTls ? certificateOf(labDirectory, 'control') : undefined;
  const scheme = tls === undefined ? 'http' : 'https';
  const etcd = `${scheme}://${CONTROL_ADDRESS}:${PORTS.etcd}`;
  const plan = (
    service: string,
    command: readonly string[],
    env: Record<string, string> = {},
  ): ProcessPlan => ({
    service,
    node: 'control',
    namespace: topology.control,
    command,
    env,
    logFile: join(log, `${service}.log`),
    detached,
  });
  const service = (name: 'api' | 'ipam' | 'status'): ProcessPlan =>
    plan(name, runtimeCommand(runtime, `services/${name}/main.ts`), {
      ...brokerEnvironment(tls),
      ...clientEnvironment(run, tls),
      CALICO_LISTEN: `${CONTROL_ADDRESS}:${PORTS[name]},unix:${join(run, `${name}.sock`)}`,
    });
  return [
    plan('etcd', [
      'etcd',
      '--name=lab',
      `--data-dir=${join(base, 'etcd')}`,
      '--log-level=warn',
      `--listen-client-urls=${etcd},${scheme}://127.0.0.1:${PORTS.etcd}`,
      `--advertise-client-urls=${etcd}`,
      ...(tls === undefined ? [] : etcdTls(tls)),
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--initial-advertise-peer-urls=http://127.0.0.1:2380',
      '--initial-cluster=lab=http://127.0.0.1:2380',
      '--auto-compaction-retention=1h',
    ]),
    plan('nats', [
      'nats-server',
      '-a',
      CONTROL_ADDRESS,
      '-p',
      String(PORTS.nats),
      '-js',
      '-sd',
      join(base, 'nats'),
      ...(tls === undefined ? [] : natsTls(tls)),
    ]),
    service('api'),
    service('ipam'),
    service('status'),
  ];
}

export function nodePlans(
  node: NodePlan,
  labDirectory: string,
  runtime: Runtime,
  detached: boolean,
  withTls = false,
): ProcessPlan[] {
  const { run, lib, log } = nodeDirectories(labDirectory, node.name);
  const tls = withTls ? certificateOf(labDirectory, node.name) : undefined;
  return ['felix', 'bgp'].map((name) => ({
    service: name,
    node: node.name,
    namespace: node.namespace,
    command: runtimeCommand(runtime, `services/${name}/main.ts`),
    env: {
      ...brokerEnvironment(tls),
      ...clientEnvironment(run, tls),
      CALICO_NODENAME: node.name,
      CALICO_LIB_DIR: lib,
    },
    logFile: join(log, `${name}.log`),
    detached,
  }));
}

function etcdTls({ ca, cert, key }: Certificate): string[] {
  return [
    `--trusted-ca-file=${ca}`,
    `--cert-file=${cert}`,
    `--key-file=${key}`,
    '--client-cert-auth',
  ];
}

function natsTls({ ca, cert, key }: Certificate): string[] {
  return ['--tlscacert', ca, '--tlscert', cert, '--tlskey', key, '--tlsverify'];
}
