// A Docker Engine of our own, in network, mount and process namespaces of its own: nothing that its
// containers do leaves it, and the kernel ends all of it with the process that started it, however that ends.
// What it has built stays in a cache between runs.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type ExecOptions, exec, type Result } from '../lab/mod.ts';

const READY_MS = 240_000;
const LOCK_SECONDS = 900;
const STOP_MS = 60_000;
/** Containers' control groups lie under this one; the only thing of theirs that outlives a killed engine. */
const CGROUP = 'calico-testcontainers';

// Own /run: a containerd of the machine stays unseen, and the sockets of ours go with the namespace. The
// lock (a file descriptor that every process of the engine inherits) is free when the last of them is gone.
const START = `set -e
mount -t tmpfs tmpfs /run
rm -rf "$1"
mkdir -p "$1/config"
ip link set lo up
shift
exec dockerd "$@"`;

const CACHE = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'calico-ts',
  'docker',
);

/** Files of the engine while it runs; whoever has the cache next starts with it empty. */
export const RUN = join(CACHE, 'run');

/** What this kernel lacks for containers; undefined when nothing. */
export async function missingInKernel(): Promise<string | undefined> {
  for (const module of ['overlay', 'bridge', 'veth']) await exec(['modprobe', '-q', module]);
  if (!/\boverlay$/m.test(await readFile('/proc/filesystems', 'utf8'))) return 'overlayfs';
  const links = 'ip link add br0 type bridge && ip link add veth0 type veth peer name veth1';
  if ((await exec(['unshare', '--net', 'sh', '-c', links])).code !== 0) return 'bridge or veth';
  return undefined;
}

/** Programs that the tests need; says how to get those that are missing. */
export function requirePrograms(): void {
  const missing = Object.entries({ dockerd: 'docker.io', mmdebstrap: 'mmdebstrap' })
    .filter(([program]) => !isInstalled(program))
    .map(([, name]) => name);
  if (missing.length === 0) return;
  throw new Error(`Cannot start Docker Engine: try "apt-get install ${missing.join(' ')}"`);
}

export class DockerEngine {
  readonly #daemon: ChildProcess;
  #complaints = '';

  constructor() {
    const isolated = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork'];
    const args = [
      '--pdeathsig',
      'KILL',
      'flock',
      '-x',
      '-F',
      '-w',
      String(LOCK_SECONDS),
      join(CACHE, 'lock'),
      'unshare',
      ...isolated,
      '--kill-child',
      '--mount-proc',
      'sh',
      '-c',
      START,
      'sh',
      RUN,
      '--data-root',
      join(CACHE, 'data'),
      '--exec-root',
      join(RUN, 'exec'),
      '-H',
      this.host,
      '--pidfile',
      join(RUN, 'pid'),
      '--cgroup-parent',
      `/${CGROUP}`,
      // Nothing is filtered or translated: the namespace has no way out.
      '--iptables=false',
      '--ip6tables=false',
      '--ip-masq=false',
      '--bridge',
      'none',
      '--storage-driver',
      'overlay2',
      '--log-level',
      'warn',
    ];
    this.#daemon = spawn('setpriv', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    this.#daemon.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-4000);
    });
  }

  /** Waits while another run has the cache. */
  static async start(note: (line: string) => void): Promise<DockerEngine> {
    await mkdir(CACHE, { recursive: true });
    const isTaken = (await exec(['flock', '-n', join(CACHE, 'lock'), 'true'])).code !== 0;
    if (isTaken) note('another run uses the engine: waiting for its end');
    const engine = new DockerEngine();
    try {
      await engine.#ready(isTaken ? LOCK_SECONDS * 1000 : READY_MS);
    } catch (error) {
      await engine.stop();
      throw error;
    }
    return engine;
  }

  /** Where clients of the engine find it. */
  get host(): string {
    return `unix://${join(RUN, 'docker.sock')}`;
  }

  /** Variables for programs that use the engine: no registry, credentials or helpers of this machine. */
  get environment(): Record<string, string> {
    return {
      ...(process.env as Record<string, string>),
      DOCKER_HOST: this.host,
      DOCKER_CONFIG: join(RUN, 'config'),
      // The client asks for a plugin that Debian's package does not have.
      DOCKER_BUILDKIT: '0',
    };
  }

  /** Words that run a command in the engine's network namespace, where mapped ports are reachable. */
  inside(command: readonly string[]): string[] {
    const net = ['nsenter', '--net', '--target', String(this.#daemon.pid)];
    return ['setpriv', '--pdeathsig', 'KILL', ...net, ...command];
  }

  docker(args: readonly string[], options: ExecOptions = {}): Promise<Result> {
    // Debian's client before any other: it has the version of the engine.
    const program = isInstalled('docker', ['/usr/bin']) ? '/usr/bin/docker' : 'docker';
    return exec([program, ...args], { timeoutMs: 300_000, ...options, env: this.environment });
  }

  /** As `docker()`, but a failure throws with what was said. */
  async dockerOk(args: readonly string[], options: ExecOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.docker(args, options);
    if (code === 0) return stdout;
    const said = `${stdout}${stderr}`.trim().split('\n').slice(-25).join('\n');
    throw new Error(`Cannot run "docker ${args.join(' ')}": exit ${code}: ${said}`);
  }

  /** Removes containers and networks and ends the engine; its namespaces end with it. */
  async stop(): Promise<void> {
    const child = this.#daemon;
    if (child.exitCode === null && child.signalCode === null) {
      await this.#sweep();
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      // unshare only waits; its child is the daemon.
      const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
      const [daemon = ''] = children.trim().split(' ');
      if (daemon === '') child.kill('SIGKILL');
      else process.kill(Number(daemon), 'SIGTERM');
      await ended;
      clearTimeout(timer);
    }
    await rm(RUN, { recursive: true, force: true });
    const groups = `find /sys/fs/cgroup -depth -type d -path "*/${CGROUP}*" -exec rmdir {} +`;
    await exec(['sh', '-c', groups]);
  }

  async #ready(patienceMs: number): Promise<void> {
    const limit = performance.now() + patienceMs;
    while ((await this.docker(['version'])).code !== 0) {
      const hasEnded = this.#daemon.exitCode !== null || this.#daemon.signalCode !== null;
      if (hasEnded || performance.now() > limit) {
        throw new Error(
          `Cannot start Docker Engine (its cache is "${CACHE}"): ${this.#complaints.trim()}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await this.#sweep();
  }

  /** Also what an earlier run that was killed left in the cache. */
  async #sweep(): Promise<void> {
    const { stdout } = await this.docker(['ps', '-aq'], { timeoutMs: 60_000 });
    const containers = stdout.split('\n').filter((id) => id !== '');
    if (containers.length > 0) await this.docker(['rm', '-f', '-v', ...containers]);
    await this.docker(['network', 'prune', '-f'], { timeoutMs: 60_000 });
    await this.docker(['image', 'prune', '-f'], { timeoutMs: 60_000 });
  }
}

function isInstalled(program: string, directories = (process.env['PATH'] ?? '').split(':')) {
  return [...directories, '/usr/sbin'].some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
