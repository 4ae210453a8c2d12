// A private etcd and ipam processes on it, in a directory that goes away with them.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@calico/clock';
import { type CheckProblem, IpamAdminService } from '@calico/proto/ipam/v1/admin';
import { IpamService } from '@calico/proto/ipam/v1/ipam';
import { connectRpc, type RpcClient } from '@calico/rpc';
import { openEtcd, type Store } from '@calico/store';
import { silentLogger } from '@calico/telemetry';
import { inconsistencies } from '../../services/ipam/core/consistency.ts';
import { compileCache, runtimeCommand } from '../lab/mod.ts';
import { freePorts } from '../store/free_ports.ts';

export const SKIP = existsSync('/usr/bin/etcd') ? false : 'needs etcd: apt-get install etcd-server';

export type Ipam = RpcClient<typeof IpamService>;

const READY_MS = 120_000;
/** Longer than anything takes on a busy machine; an etcd that is away refuses at once. */
const CALL = { timeoutMs: 90_000 };
const ETCD_SECONDS = 30;

export class IpamFixture {
  readonly directory: string;
  readonly endpoint: string;
  readonly store: Store;
  readonly #etcdPort: number;
  readonly #peerPort: number;
  readonly #etcdArguments: readonly string[];
  readonly #services: ChildProcess[] = [];
  readonly #clients: Ipam[] = [];
  #etcd: ChildProcess | undefined;

  constructor(
    directory: string,
    etcdPort: number,
    peerPort: number,
    etcdArguments: readonly string[] = [],
  ) {
    this.directory = directory;
    this.#etcdArguments = etcdArguments;
    this.#etcdPort = etcdPort;
    this.#peerPort = peerPort;
    this.endpoint = `http://127.0.0.1:${etcdPort}`;
    this.store = openEtcd({
      endpoints: [this.endpoint],
      clock: systemClock,
      logger: silentLogger,
      requestTimeoutMs: ETCD_SECONDS * 1000,
    });
  }

  static async start(etcdArguments: readonly string[] = []): Promise<IpamFixture> {
    for (let attempt = 1; ; attempt++) {
      const directory = await mkdtemp(join(tmpdir(), 'calico-ipam-'));
      const [etcdPort = 0, peerPort = 0] = await freePorts(2);
      const fixture = new IpamFixture(directory, etcdPort, peerPort, etcdArguments);
      try {
        await fixture.startEtcd();
        return fixture;
      } catch (cause) {
        await fixture.stop();
        // Somebody else may have got a port before it.
        if (attempt === 3) throw cause;
      }
    }
  }

  async startEtcd(): Promise<void> {
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    this.#etcd = spawn(
      'etcd',
      [
        '--name=ipam',
        `--data-dir=${join(this.directory, 'etcd')}`,
        '--log-level=error',
        '--logger=zap',
        `--listen-client-urls=${this.endpoint}`,
        `--advertise-client-urls=${this.endpoint}`,
        `--listen-peer-urls=${peer}`,
        `--initial-advertise-peer-urls=${peer}`,
        `--initial-cluster=ipam=${peer}`,
        ...this.#etcdArguments,
      ],
      { stdio: 'ignore' },
    );
    const etcd = this.#etcd;
    await waitUntil('etcd answers', async () => {
      if (hasEnded(etcd)) throw new Error('Cannot start etcd: it has ended');
      return answers({ port: this.#etcdPort, host: '127.0.0.1' });
    });
  }

  async stopEtcd(): Promise<void> {
    await end(this.#etcd);
    this.#etcd = undefined;
  }

  /** Starts an ipam process and answers a client of it. `imports` is loaded into the process first. */
  async startService(
    imports: readonly string[] = [],
    etcdSeconds: number = ETCD_SECONDS,
  ): Promise<Ipam> {
    const number = this.#services.length;
    this.#services.push(this.#spawnService(number, imports, etcdSeconds));
    const socket = this.#socket(number);
    await waitUntil('ipam listens', () => answers({ path: socket }));
    const client = connectRpc(IpamService, `unix:${socket}`, CALL);
    this.#clients.push(client);
    return client;
  }

  /** Where the ipam process listens. */
  target(number: number): string {
    return `unix:${this.#socket(number)}`;
  }

  /** All that a check by the ipam process finds. */
  async problems(number = 0): Promise<CheckProblem[]> {
    const admin = connectRpc(IpamAdminService, this.target(number), {});
    try {
      return (await Array.fromAsync(admin.check({}))).flatMap(({ problems }) => problems);
    } finally {
      admin.close();
    }
  }

  /** Ends an ipam process at once, in the middle of whatever it does, and starts it again. */
  async killService(
    number: number,
    imports: readonly string[] = [],
    etcdSeconds: number = ETCD_SECONDS,
  ): Promise<void> {
    const child = this.#services[number];
    if (child === undefined) throw new RangeError(`Cannot kill ipam ${number}: not started`);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await rm(this.#socket(number), { force: true });
    this.#services[number] = this.#spawnService(number, imports, etcdSeconds);
    await waitUntil('ipam listens', () => answers({ path: this.#socket(number) }));
  }

  signalService(number: number, signal: NodeJS.Signals): void {
    this.#services[number]?.kill(signal);
  }

  /** Stops etcd in the middle of whatever it does, without ending it. */
  async pauseEtcd(durationMs: number): Promise<void> {
    this.#etcd?.kill('SIGSTOP');
    await systemClock.sleep(durationMs);
    this.#etcd?.kill('SIGCONT');
  }

  #socket(number: number): string {
    return join(this.directory, `ipam${number}.sock`);
  }

  #spawnService(number: number, imports: readonly string[], etcdSeconds: number): ChildProcess {
    const [program = '', ...args] = runtimeCommand('node', 'services/ipam/main.ts');
    const preloads = imports.flatMap((path) => ['--import', path]);
    return spawn(program, [...preloads, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        PATH: process.env['PATH'] ?? '',
        ...compileCache(),
        TMPDIR: tmpdir(),
        ETCD_ENDPOINTS: this.endpoint,
        ETCD_TIMEOUT_SECONDS: `${etcdSeconds}`,
        CALICO_LISTEN: `unix:${this.#socket(number)}`,
        CALICO_HTTP_LISTEN: '127.0.0.1:0',
        CALICO_LOG_LEVEL: 'silent',
      },
    });
  }

  async putPool(name: string, spec: object): Promise<void> {
    await this.putResource('IPPool', `ippools/${name}`, spec);
  }

  async putNode(name: string, spec: object = {}): Promise<void> {
    await this.putResource('Node', `nodes/${name}`, spec);
  }

  async putResource(kind: string, path: string, spec: object): Promise<void> {
    const metadata = { name: path.slice(path.lastIndexOf('/') + 1) };
    const document = { apiVersion: 'projectcalico.org/v3', kind, metadata, spec };
    await this.put(`/calico/resources/v3/projectcalico.org/${path}`, JSON.stringify(document));
  }

  async put(key: string, value: string): Promise<void> {
    const found = await this.store.get(key);
    await this.store.commit({
      compare: [{ key, modRevision: found?.modRevision ?? 0n }],
      operations: [{ kind: 'put', key, value }],
    });
  }

  /** Removes every record. */
  async clear(): Promise<void> {
    const { entries } = await this.store.list('/');
    for (let at = 0; at < entries.length; at += 100) {
      const part = entries.slice(at, at + 100);
      const operations = part.map(({ key }) => ({ kind: 'delete' as const, key }));
      await this.store.commit({ compare: [], operations });
    }
  }

  /** What is contradictory in etcd now. */
  async inconsistencies(): Promise<string[]> {
    const { entries } = await this.store.list('/calico/ipam/v2/');
    return inconsistencies(new Map(entries.map(({ key, value }) => [key, value])));
  }

  /** Of the first ipam process. */
  pid(): number {
    return this.#services[0]?.pid ?? 0;
  }

  etcdPid(): number {
    return this.#etcd?.pid ?? 0;
  }

  /** Resident memory of the first ipam process, in MiB. */
  memory(): number {
    const status = readFileSync(`/proc/${this.pid()}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.store.close();
    await Promise.all([...this.#services, this.#etcd].map(end));
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || hasEnded(child)) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

export async function waitUntil(what: string, check: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + READY_MS;
  while (!(await check())) {
    if (performance.now() > limit)
      throw new Error(`Cannot go on: not yet after ${READY_MS / 1000} s: ${what}`);
    await systemClock.sleep(25);
  }
}

function answers(target: { port: number; host: string } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
