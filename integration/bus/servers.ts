// Private etcd and nats-server on free loopback ports, each with a directory of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../store/free_ports.ts';

/** Of a busy machine with a slow disk. */
const READY_MS = 120_000;

export const SKIP =
  existsSync('/usr/sbin/nats-server') || existsSync('/usr/bin/nats-server')
    ? false
    : 'needs nats-server and etcd (apt-get install nats-server etcd-server)';

export class Server {
  readonly url: string;
  readonly #command: string;
  readonly #args: (directory: string) => readonly string[];
  readonly #isReady: () => Promise<boolean>;
  #directory: string | undefined;
  #child: ChildProcess | undefined;

  constructor(
    command: string,
    port: number,
    args: (directory: string) => readonly string[],
    isReady: () => Promise<boolean> = () => answers(port),
  ) {
    this.url = `127.0.0.1:${port}`;
    this.#command = command;
    this.#args = args;
    this.#isReady = isReady;
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    this.#directory ??= await mkdtemp(join(tmpdir(), `calico-${this.#command}-`));
    const child = spawn(this.#command, this.#args(this.#directory), { stdio: 'ignore' });
    this.#child = child;
    const end = Date.now() + READY_MS;
    for (;;) {
      // Before it is asked: somebody else may answer on its port.
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`Cannot start ${this.#command}: it ended`);
      if (await this.#isReady()) return;
      if (Date.now() > end) throw new Error(`Cannot start ${this.#command}: no answer`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** Halts the process without closing anything; `resume()` lets it go on. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Of a stopped server. */
  async dropData(): Promise<void> {
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
    this.#directory = undefined;
  }

  async remove(): Promise<void> {
    this.resume();
    await this.stop('SIGKILL');
    await this.dropData();
  }
}

export async function natsServer(): Promise<Server> {
  const [port = 0] = await freePorts(1);
  return new Server('nats-server', port, (directory) => [
    '-a',
    '127.0.0.1',
    '-p',
    String(port),
    '-js',
    '-sd',
    directory,
  ]);
}

export async function etcdServer(): Promise<Server> {
  const [port = 0, peerPort = 0] = await freePorts(2);
  const client = `http://127.0.0.1:${port}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return new Server(
    'etcd',
    port,
    (directory) => [
      `--data-dir=${join(directory, 'data')}`,
      '--name=test',
      '--log-level=error',
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
    ],
    () => isHealthy(client),
  );
}

/** Its port answers before it has a leader. */
function isHealthy(client: string): Promise<boolean> {
  return fetch(`${client}/health`).then(
    async (response) => (await response.text()).includes('"true"'),
    () => false,
  );
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
