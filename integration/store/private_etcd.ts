// An etcd of a test's own: free loopback ports, a directory of its own, gone afterwards.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free_ports.ts';

/** Of a busy machine with a slow disk. */
const START_MS = 120_000;

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
    for (let attempt = 1; ; attempt++) {
      const directory = mkdtempSync(join(tmpdir(), 'calico-etcd-'));
      const [client, peer] = await freePorts(2);
      const etcd = new PrivateEtcd(directory, client ?? 0, peer ?? 0);
      process.once('exit', () => etcd.#kill('SIGKILL'));
      try {
        await etcd.run();
        return etcd;
      } catch (cause) {
        await etcd.stop();
        // Somebody else may have got a port before it.
        if (attempt === 3) throw cause;
      }
    }
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
    const end = Date.now() + START_MS;
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`Cannot start etcd: it ended with ${child.exitCode ?? child.signalCode}`);
      if (Date.now() > end) throw new Error(`Cannot start etcd: not healthy after ${START_MS} ms`);
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
