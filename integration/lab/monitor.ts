// Watches what changes in a namespace: a command that prints a line per event.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespace } from './fabric.ts';
import { eventually, patient } from './wait.ts';

/**
 * Not changes of ours: what is said when somebody else's namespace vanishes while the program starts,
 * and the kernel's own link-local routes of an interface whose address detection ends late.
 */
const NOISE = /^(?:\w+: )?Peer netns reference is invalid|\bfe80::|\bff00::/;

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
    await monitor.#idle();
    return monitor;
  }

  /** All that changed until now, and no more. */
  async stop(): Promise<readonly string[]> {
    await this.#idle();
    this.#child.kill('SIGTERM');
    await this.#closed;
    return this.lines;
  }

  /**
   * The kernel queues an event before the change is answered for, so what sleeps over an empty queue has
   * told everything.
   */
  async #idle(): Promise<void> {
    const { pid = 0, spawnargs } = this.#child;
    await eventually(
      () => isWaiting(pid),
      10_000,
      () => `Cannot watch: "${spawnargs.join(' ')}" does not listen: ${this.lines.join('\n')}`,
      () => this.#child.exitCode !== null || this.#child.signalCode !== null,
    );
  }
}

/** Of routes and of the packet filter, in each of the namespaces. */
export function monitorsOf(namespaces: readonly string[]): Promise<LineMonitor[]> {
  return Promise.all(
    namespaces.flatMap((name) => [LineMonitor.routes(name), LineMonitor.packetFilter(name)]),
  );
}

export async function changesOf(monitors: readonly LineMonitor[]): Promise<string[]> {
  return (await Promise.all(monitors.map((monitor) => monitor.stop()))).flat();
}

/** Resolves when no route and nothing of the packet filter has changed for a second. */
export async function untilQuiet(namespaces: readonly string[]): Promise<void> {
  let changes: readonly string[] = [];
  await eventually(
    async () => {
      const monitors = await monitorsOf(namespaces);
      await sleep(patient(1000));
      changes = await changesOf(monitors);
      return changes.length === 0;
    },
    20_000,
    () => `no end of changes: ${changes.join('\n')}`,
  );
}

/** The process sleeps, and one of its netlink sockets takes part in a group and has nothing to read. */
function isWaiting(pid: number): boolean {
  try {
    const own = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => socketOf(pid, fd)));
    const [, ...rows] = readFileSync(`/proc/${pid}/net/netlink`, 'utf8').trim().split('\n');
    // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
    const listening = rows
      .map((row) => row.trim().split(/\s+/))
      .filter(
        ([, , , groups = '', , , , , , inode]) => Number(`0x${groups}`) > 0 && own.has(inode),
      );
    const isEmpty = listening.length > 0 && listening.every(([, , , , queued]) => queued === '0');
    return isEmpty && /^State:\s+S/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // it has not begun, or something closed meanwhile
  }
}

function socketOf(pid: number, fd: string): string | undefined {
  return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
}
