// Runs one command of the project in a virtual machine with another kernel:
//
//   vmlinuz + initramfs ── /dev/vda Debian ── /dev/vdb node_modules ── /dev/vdc project
//                                     └ calico-vm: mount, run the command, print, power off
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { exec, ROOT } from '../lab/mod.ts';
import { ownName, sweepAbandoned } from './cache.ts';
import { debianDisk, dependenciesDisk, projectDisk } from './disks.ts';
import { initramfs, kernel } from './kernel.ts';

export type MachineRun = {
  /** Shell text, run as root in the project's folder with its Node on PATH. */
  readonly command: string;
  /** Each line that the command prints, and notes about the machine itself. */
  readonly onLine: (line: string) => void;
  /** From the start of the machine; building its disks the first time is not counted. */
  readonly timeoutMs: number;
  readonly memoryMebibytes?: number;
  /** Of Debian's kernels the newest of this series, such as "6.1"; without it, the newest. */
  readonly kernel?: string;
  /** Ends the machine and what makes its disks. */
  readonly signal?: AbortSignal;
};

const MARK = '@@calico-vm ';
/** Without retpolines and the like, and with every process at the same addresses: less to translate. */
const KERNEL_OPTIONS = 'console=ttyS0 panic=-1 quiet loglevel=1 mitigations=off norandmaps';
const PROGRAMS = ['qemu-system-x86_64', 'mmdebstrap', 'mke2fs', 'busybox', 'xz', 'cpio'];

/**
 * Exit code of the command; 130 after an abort.
 * @throws Error when the machine cannot be made, or does not end in time
 */
export async function runInVm(run: MachineRun): Promise<number> {
  const reason = await whyNoMachine();
  if (reason !== undefined) throw new Error(`Cannot make a virtual machine: ${reason}`);
  await sweepAbandoned(tmpdir(), 'calico-vm-');
  const directory = join(tmpdir(), ownName('calico-vm-'));
  await mkdir(directory);
  const signal = run.signal ?? new AbortController().signal;
  try {
    const started = performance.now();
    const project = join(directory, 'project.img');
    const args = [...(await machine(run, project, signal)), ...accelerator()];
    run.onLine(`· virtual machine ready to boot after ${seconds(started)} s`);
    return await boot(run, args, directory, signal);
  } catch (cause) {
    if (signal.aborted) return 130;
    throw cause;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function machine(run: MachineRun, project: string, signal: AbortSignal): Promise<string[]> {
  run.onLine('· virtual machine: its kernel');
  const linux = await kernel(signal, run.kernel);
  run.onLine(
    `· virtual machine: Linux ${linux.version}; the disk with Debian (made once, a minute)`,
  );
  const initial = await initramfs(linux, await guestFile('initramfs_init'));
  const debian = await debianDisk(linux, await guestFile('calico-vm'), signal);
  run.onLine('· virtual machine: the disk with node_modules (made once per lock file)');
  const dependencies = await dependenciesDisk(signal);
  run.onLine('· virtual machine: the disk with the project as it is');
  await projectDisk(project, script(run.command), signal);
  const memory = String(run.memoryMebibytes ?? 4096);
  const options: readonly (readonly [name: string, value: string])[] = [
    ['-kernel', join(linux.directory, 'vmlinuz')],
    ['-initrd', initial],
    ['-append', `${KERNEL_OPTIONS} calico.root=${ROOT}`],
    ['-cpu', 'max'],
    ['-smp', '1'],
    ['-m', memory],
    ['-display', 'none'],
    ['-monitor', 'none'],
    ['-serial', 'stdio'],
    ['-nic', 'none'],
    ['-drive', snapshotOf(debian)],
    ['-drive', snapshotOf(dependencies)],
    ['-drive', snapshotOf(project)],
  ];
  return ['-no-reboot', ...options.flat()];
}

function guestFile(name: string): Promise<string> {
  return readFile(join(import.meta.dirname, 'guest', name), 'utf8');
}

/** What the machine writes goes away with it. */
function snapshotOf(file: string): string {
  return `file=${file},if=virtio,format=raw,snapshot=on`;
}

function script(command: string): string {
  return [
    `export PATH="${ROOT}/node_modules/.bin:$PATH"`,
    `export NODE_COMPILE_CACHE="${ROOT}/.calico-vm/compile"`,
    command,
    '',
  ].join('\n');
}

/**
 * QEMU interprets, about 20 times slower than the machine: it works everywhere, while /dev/kvm of a
 * machine that is itself virtual may exist and fail in the first instruction. CALICO_VM_ACCEL=kvm
 * where it is known to work. With more threads or processors the interpreted kernel crashed.
 */
function accelerator(): string[] {
  return process.env['CALICO_VM_ACCEL'] === 'kvm'
    ? ['-accel', 'kvm']
    : ['-accel', 'tcg,thread=single'];
}

async function boot(
  run: MachineRun,
  args: readonly string[],
  directory: string,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const started = performance.now();
  const guarded = ['--pdeathsig', 'KILL', 'qemu-system-x86_64', ...args];
  const child = spawn('setpriv', guarded, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: directory },
  });
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const timer = setTimeout(() => child.kill('SIGKILL'), run.timeoutMs);
  const interrupt = (): void => stop(child);
  signal.addEventListener('abort', interrupt);
  let code: number | undefined;
  try {
    for await (const raw of createInterface({ input: child.stdout })) {
      const line = raw.replace(/\r/g, '');
      const [event, value] = markOf(line);
      if (event === 'booted') run.onLine(`· booted in ${seconds(started)} s`);
      else if (event === 'exit') code = Number(value);
      else if (code === undefined) run.onLine(line); // afterwards only the kernel speaks
    }
    await ended;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', interrupt);
    stop(child);
  }
  if (code !== undefined) return code;
  const late = performance.now() - started >= run.timeoutMs;
  throw new Error(
    late
      ? `Cannot finish in the virtual machine: not done after ${run.timeoutMs / 1000} s`
      : `Cannot run the virtual machine: it ended without a result: ${complaints.trim()}`,
  );
}

function markOf(line: string): [event: string | undefined, value: string] {
  if (!line.startsWith(MARK)) return [undefined, ''];
  const [event, value = ''] = line.slice(MARK.length).split(' ');
  return [event, value];
}

function stop(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

/** Why this computer cannot run the virtual machine; undefined when it can. */
export async function whyNoMachine(): Promise<string | undefined> {
  if (process.arch !== 'x64') return `the virtual machine is made for x64, this is ${process.arch}`;
  const missing: string[] = [];
  for (const program of PROGRAMS) {
    if ((await exec(['sh', '-c', `command -v ${program}`])).code !== 0) missing.push(program);
  }
  return missing.length === 0
    ? undefined
    : `no ${missing.join(', ')}; install the packages of integration/vm/packages.txt`;
}
