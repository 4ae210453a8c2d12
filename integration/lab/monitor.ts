// Watches what changes in a namespace: a command that prints a line per event.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespace } from './fabric.ts';
import { patient } from './wait.ts';

/**
 * Not changes of ours: what is said when somebody else's namespace vanishes while the program starts,
 * and the kernel's own link-local routes of an interface whose address detection ends late.
 */
const NOISE = /^Peer netns reference is invalid|\bfe80::|\bff00::/;

export class LineMonitor {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;

  private constructor(namespace: string, command: readonly string[]) {
    const [program = '', ...args] = inNamespace(namespace, command);
    this.#child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#closed = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop() ?? '';
        this.lines.push(...parts.filter((line) => line.trim() !== '' && !NOISE.test(line)));
      });
    }
  }

  /** `ip monitor route`: a line per route that appears, changes or goes. */
  static async routes(namespace: string): Promise<LineMonitor> {
    return LineMonitor.#started(namespace, ['ip', 'monitor', 'route']);
  }

  /** `nft monitor`: a line per object of the packet filter that appears or goes. */
  static async packetFilter(namespace: string): Promise<LineMonitor> {
    return LineMonitor.#started(namespace, ['nft', 'monitor']);
  }

  static async #started(namespace: string, command: readonly string[]): Promise<LineMonitor> {
    const monitor = new LineMonitor(namespace, command);
    await sleep(patient(300)); // neither program says when its socket is open
    return monitor;
  }

  async stop(): Promise<readonly string[]> {
    this.#child.kill('SIGTERM');
    await this.#closed;
    return this.lines;
  }
}
