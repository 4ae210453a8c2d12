// The machine's three disks: Debian, the project's node_modules, the project itself. Only the last one
// is made anew for each run.
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ExecOptions, exec, execOk, ROOT } from '../lab/mod.ts';
import { cached, digest } from './cache.ts';
import type { Kernel } from './kernel.ts';

const MINUTES = 60_000;
const SPARE_INODES = 20_000;
const MEBIBYTE = 1024 * 1024;

/** Development tools that nothing needs at run time; half of node_modules by size. */
const NOT_NEEDED = [
  '@biomejs+*',
  '@bufbuild+buf*',
  '@deno+*',
  '@oxlint*',
  '@types+*',
  '@typescript+*',
  'deno@*',
  'oxlint*',
  'typescript@*',
];

/** Loads whatever a walk-through loads; what needs a service fails for lack of it, which is enough. */
const PROGRAMS = [
  ...['api', 'ipam', 'felix', 'bgp', 'status'].map((name) => `services/${name}/main.ts --help`),
  'packages/calicoctl/main.ts get ippool',
  'packages/calicoctl/main.ts apply --wait -f -',
  'packages/calicoctl/main.ts label node here a=b',
  'packages/calicoctl/main.ts delete node here',
  'packages/calicoctl/main.ts ipam show',
  'packages/calicoctl/main.ts node status',
  'packages/cni/launch.js',
  'integration/demo/main.ts --help',
];
const NOWHERE = '/run/calico-vm-nowhere';
const NO_SERVICE = {
  CALICO_RUN_DIR: NOWHERE,
  CALICO_API_ADDRESS: `unix:${NOWHERE}/api.sock`,
  CALICO_IPAM_ADDRESS: `unix:${NOWHERE}/ipam.sock`,
  CALICO_STATUS_ADDRESS: `unix:${NOWHERE}/status.sock`,
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'nowhere',
  CNI_NETNS: `${NOWHERE}/netns`,
  CNI_IFNAME: 'eth0',
};

/** Debian with the packages of the lab, the kernel's modules and the first program. */
export async function debianDisk(
  kernel: Kernel,
  firstProgram: string,
  signal: AbortSignal,
): Promise<string> {
  const lists = ['../bootstrap/packages.txt'].map((file) => join(import.meta.dirname, file));
  const texts = await Promise.all(lists.map((file) => readFile(file, 'utf8')));
  const packages = [...texts.flatMap(packageNames), 'kmod'].toSorted();
  const key = digest(kernel.version, firstProgram, packages.join(' '));
  return cached(`debian-${kernel.series}`, `${key}.img`, async (path) => {
    const tree = `${path}.tree`;
    try {
      await bootstrap(tree, packages, signal);
      const modules = join(tree, 'usr/lib/modules');
      await mkdir(modules, { recursive: true });
      await cp(join(kernel.directory, 'modules', kernel.version), join(modules, kernel.version), {
        recursive: true,
      });
      await execOk(['chroot', tree, 'depmod', kernel.version], { signal });
      await writeFile(join(tree, 'usr/local/sbin/calico-vm'), firstProgram, { mode: 0o755 });
      await makeDisk(tree, path, 512, signal);
    } finally {
      await rm(tree, { recursive: true, force: true });
    }
  });
}

function packageNames(list: string): string[] {
  return list
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((name) => name !== '' && !name.startsWith('#'));
}

async function bootstrap(
  tree: string,
  packages: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await execOk(
    [
      'mmdebstrap',
      '--quiet',
      '--mode=root',
      '--variant=minbase',
      `--include=${packages.join(',')}`,
      '--aptopt=APT::Install-Recommends "false"',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-exclude=/usr/share/man/*',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      '--customize-hook=rm -rf "$1"/var/cache/apt "$1"/var/lib/apt/lists',
      'bookworm',
      tree,
    ],
    { timeoutMs: 15 * MINUTES, signal },
  );
}

/** The project's dependencies and its Node, without the development tools. */
export async function dependenciesDisk(signal: AbortSignal): Promise<string> {
  const lock = await readFile(join(ROOT, 'pnpm-lock.yaml'), 'utf8');
  const key = digest(lock, NOT_NEEDED.join(' '));
  return cached('modules', `${key}.img`, async (path) => {
    const tree = `${path}.tree`;
    try {
      const excludes = NOT_NEEDED.map((name) => `--exclude=./.pnpm/${name}`);
      await copyTree(join(ROOT, 'node_modules'), tree, excludes, signal);
      await makeDisk(tree, path, 64, signal);
    } finally {
      await rm(tree, { recursive: true, force: true });
    }
  });
}

/** The project as it is now, with the command to run; at `path`. */
export async function projectDisk(
  path: string,
  command: string,
  signal: AbortSignal,
): Promise<void> {
  const tree = `${path}.tree`;
  await copyTree(ROOT, tree, ['--exclude=./node_modules', '--exclude=./.git'], signal);
  await mkdir(join(tree, 'node_modules'));
  await mkdir(join(tree, '.calico-vm'));
  await writeFile(join(tree, '.calico-vm', 'command'), command);
  // The project is at the same path inside, so that what Node compiled here serves there too: without
  // it every process spends most of its start, at a twentieth of the speed, on compiling.
  await compilePrograms(join(tree, '.calico-vm', 'compile'), signal);
  await makeDisk(tree, path, 256, signal);
  await rm(tree, { recursive: true });
}

/**
 * Loads every program once and leaves what Node compiled of them in the directory. Not the cache that
 * this process uses: that has everything that was ever run here, and copying it takes longer.
 */
async function compilePrograms(directory: string, signal: AbortSignal): Promise<void> {
  const options: ExecOptions = {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: directory, ...NO_SERVICE },
    input: JSON.stringify({ cniVersion: '1.1.0', name: 'k8s', type: 'calico', runDir: NOWHERE }),
    signal,
  };
  const node = join(ROOT, 'node_modules/.bin/node');
  await Promise.all(PROGRAMS.map((program) => exec([node, ...program.split(' ')], options)));
}

async function copyTree(
  from: string,
  to: string,
  options: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const script =
    'mkdir -p "$2"; from=$1 to=$2; shift 2; tar -C "$from" "$@" -cf - . | tar -C "$to" -xf -';
  await execOk(['sh', '-euc', script, 'sh', from, to, ...options], {
    timeoutMs: 5 * MINUTES,
    signal,
  });
}

/** An ext4 image of the tree, made without mounting, with `spareMebibytes` left free. */
async function makeDisk(
  tree: string,
  path: string,
  spareMebibytes: number,
  signal: AbortSignal,
): Promise<void> {
  const used = Number((await execOk(['du', '-s', '-B', '1', tree])).split(/\s/)[0]);
  const size = Math.ceil((used * 1.15) / MEBIBYTE) + spareMebibytes;
  const entries = (await execOk(['find', tree, '-printf', '.'])).length;
  await execOk(
    [
      'mke2fs',
      '-q',
      '-F',
      '-t',
      'ext4',
      '-O',
      '^has_journal',
      '-m',
      '0',
      // By its size alone it would get too few for small files.
      '-N',
      String(entries + SPARE_INODES),
      '-d',
      tree,
      path,
      `${size}M`,
    ],
    { timeoutMs: 5 * MINUTES, signal },
  );
}
