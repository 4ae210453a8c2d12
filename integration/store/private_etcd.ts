// An etcd of a test's own: free loopback ports, a directory of its own, gone afterwards.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class PrivateEtcd {
  readonly endpoint: string;
  readonly #directory: string;
  readonly #peer: string;
  #process: ChildProcess | undefined;

  constructor(directory: string, clientPort: number, peerPort: number) {
    this.#directory = directory;
    this.endpoint = `http://127.0.0.1:${clientPort}`;
    this.#peer = `http://127.0.0.1:${peerPort}`;
  }

  static async start(): Promise<PrivateEtcd> {
    const directory = mkdtempSync(join(tmpdir(), 'calico-etcd-'));
    const [client, peer] = await freePorts(2);
    const etcd = new PrivateEtcd(directory, client ?? 0, peer ?? 0);
    process.once('exit', () => etcd.#kill('SIGKILL'));
    await etcd.run();
    return etcd;
  }

  /** Starts it (again) on the same ports and data, unless it runs. */
  async run(): Promise<void> {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) return;
    const child = spawn(
      'etcd',
      [
        ['--name', 'test'],
        ['--data-dir', join(this.#directory, 'data')],
        ['--listen-client-urls', this.endpoint],
        ['--advertise-client-urls', this.endpoint],
        ['--listen-peer-urls', this.#peer],
        ['--initial-advertise-peer-urls', this.#peer],
        ['--initial-cluster', `test=${this.#peer}`],
        ['--log-level', 'error'],
      ].flat(),
      { stdio: 'ignore' },
    );
    this.#process = child;
    const end = Date.now() + 15_000;
    for (;;) {
      if (child.exitCode !== null)
        throw new Error(`Cannot start etcd: exit code ${child.exitCode}`);
      if (Date.now() > end) throw new Error('Cannot start etcd: not healthy after 15 s');
      const healthy = await fetch(`${this.endpoint}/health`).then(
        async (response) => (await response.text()).includes('"true"'),
        () => false,
      );
      if (healthy) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Ends it; the data stay. */
  async halt(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    this.#signal(child, 'SIGKILL');
    await ended;
  }

  /** Stops and continues the process: connections stay open, nothing answers. */
  freeze(): void {
    this.#kill('SIGSTOP');
  }

  thaw(): void {
    this.#kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.halt();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.#process) this.#signal(this.#process, signal);
  }

  // Not child.kill(): in Deno it refuses a second signal.
  #signal({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(pid, signal);
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
