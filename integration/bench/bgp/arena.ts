// Two network namespaces: the speaker's, and the one in which the benchmark itself plays its peers.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNetnsFd, systemLibc } from '@calico/netlink';
import { exec, execOk, ipBatch } from '../../lab/mod.ts';
import { NETWORK_LENGTH, NEXT_HOP, peerAddress, SPEAKER } from './world.ts';

const CLONE_NEWNET = 0x40000000;
const PEERS = 250;
const FLUSHES = 100;

export class Arena {
  readonly #prefix = `bgb${randomBytes(3).toString('hex')}`;
  readonly inside = `${this.#prefix}-s`;
  readonly outside = `${this.#prefix}-w`;
  readonly directory = mkdtempSync(join(tmpdir(), 'bgp-bench-'));
  readonly #children = new Set<ChildProcess>();

  /** From then on this thread's sockets are outside. */
  async open(): Promise<void> {
    const { inside, outside } = this;
    for (const namespace of [inside, outside]) await execOk(['ip', 'netns', 'add', namespace]);
    await execOk(
      `ip link add s0 netns ${inside} type veth peer name w0 netns ${outside}`.split(' '),
    );
    const addresses = [
      NEXT_HOP,
      ...Array.from({ length: PEERS }, (_, index) => peerAddress(index)),
    ];
    await ipBatch(inside, [
      `address add ${SPEAKER.address}/${NETWORK_LENGTH} dev s0`,
      'link set lo up',
      'link set s0 up',
    ]);
    await ipBatch(outside, [
      ...addresses.map((address) => `address add ${address}/${NETWORK_LENGTH} dev w0`),
      'link set lo up',
      'link set w0 up',
    ]);
    systemLibc().setns(openNetnsFd(`/var/run/netns/${outside}`), CLONE_NEWNET);
  }

  /** Starts a program inside; `ip` replaces itself by it, so the child is the program. */
  start(command: readonly string[], hasChannel = false): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.inside, ...command], {
      stdio: ['ignore', 'ignore', 'inherit', ...(hasChannel ? (['ipc'] as const) : [])],
      cwd: this.directory,
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async stop(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /**
   * Away with what killed daemons have left in the kernel. With its link the kernel drops a million routes
   * in a moment, which `ip` would do one by one, and give up in between; what has no link is few.
   */
  async flush(): Promise<void> {
    for (const state of ['down', 'up']) {
      await execOk(['ip', '-n', this.inside, 'link', 'set', 's0', state]);
    }
    await exec(['ip', '-n', this.inside, 'nexthop', 'flush']);
    for (let attempt = 0; attempt < FLUSHES; attempt++) {
      const { code } = await exec(
        `ip -n ${this.inside} route flush table main root 16.0.0.0/4`.split(' '),
      );
      if (code === 0) break;
    }
    await exec(`ip -n ${this.inside} route flush table main root 9.9.0.0/16`.split(' '));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.stop(child, 'SIGKILL')));
    for (const each of [this.inside, this.outside]) await exec(['ip', 'netns', 'delete', each]);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
