// The images, without a registry: Debian by mmdebstrap under the name that the Dockerfile uses, with the
// packages that the Dockerfile would install; beside it one that has pnpm and its store. With these two the
// Dockerfile builds everything else without a network.

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { exec, execOk, ROOT } from '../lab/mod.ts';
import { type DockerEngine, RUN } from './engine.ts';

const MINUTES = 60_000;
const BASE = 'debian:bookworm-slim';
const DEBIAN = 'calico-ts/debian';
const BUILD_BASE = 'calico-ts/build-base';
const BUILT = 'calico-ts/build';

export const IMAGES = {
  etcd: 'calico-ts/etcd',
  nats: 'calico-ts/nats',
  api: 'calico-ts/api',
  ipam: 'calico-ts/ipam',
  status: 'calico-ts/status',
  calicoctl: 'calico-ts/calicoctl',
  felix: 'calico-ts/felix',
  bgp: 'calico-ts/bgp',
  node: 'calico-ts/node',
} as const;

/** What the Dockerfile would install, the two servers, and what the test itself looks with. */
const PACKAGES = [
  'ca-certificates',
  'etcd-server',
  'iproute2',
  'iputils-ping',
  'kmod',
  'libnftables1',
  'nats-server',
  'nftables',
  'procps',
  'tcpdump',
] as const;

export type Note = (line: string) => void;

/** Builds what is not there yet; `note` tells about each step. */
export async function prepareImages(engine: DockerEngine, note: Note): Promise<void> {
  await step(note, `base image ${BASE}`, () => debianImage(engine));
  await step(note, 'base image with pnpm and its store', () => buildBase(engine));
  await inTemporary(async (context) => {
    await snapshot(context);
    // Named, so that its layers are kept for the next run.
    const targets = { build: BUILT, ...IMAGES };
    for (const [target, image] of Object.entries(targets)) {
      await step(note, `image ${image}`, () => buildTarget(engine, context, target, image));
    }
  });
  await dropOutdated(engine);
}

async function step(note: Note, what: string, work: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await work();
  note(`${what} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

/** Changes with the list of packages and with their versions in the archive. */
async function packagesKey(): Promise<string> {
  const { stdout } = await exec(['apt-cache', 'policy', ...PACKAGES]);
  const versions = stdout.split('\n').filter((line) => line.includes('Candidate:'));
  return digest(...PACKAGES, ...versions);
}

async function debianImage(engine: DockerEngine): Promise<void> {
  const keyed = `${DEBIAN}:${await packagesKey()}`;
  if (!(await exists(engine, keyed))) {
    await inTemporary(async (directory) => {
      const archive = join(directory, 'root.tar');
      const args = [
        '--quiet',
        '--mode=root',
        '--variant=minbase',
        `--include=${PACKAGES.join(',')}`,
        '--aptopt=APT::Install-Recommends "false"',
        ...['doc', 'man', 'locale'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
        'bookworm',
        archive,
      ];
      await execOk(['mmdebstrap', ...args], { timeoutMs: 15 * MINUTES });
      await engine.dockerOk(['import', archive, keyed]);
    });
  }
  await engine.dockerOk(['tag', keyed, `${DEBIAN}:current`]);
  await engine.dockerOk(['tag', keyed, BASE]);
}

/** Debian with pnpm and a store that holds what the lock file names, so that nothing is downloaded. */
async function buildBase(engine: DockerEngine): Promise<void> {
  const lock = await readFile(join(ROOT, 'pnpm-lock.yaml'), 'utf8');
  const keyed = `${BUILD_BASE}:${digest(lock, await packagesKey(), BUILD_BASE_FILE)}`;
  if (!(await exists(engine, keyed))) {
    const pnpm = await nativePnpm();
    await inTemporary(async (directory) => {
      await copyFile(pnpm, join(directory, 'pnpm'));
      await writeFile(join(directory, 'Dockerfile'), BUILD_BASE_FILE);
      const project = join(directory, 'project');
      await mkdir(project);
      for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml']) {
        await copyFile(join(ROOT, file), join(project, file));
      }
      const store = join(directory, 'store');
      await execOk([pnpm, 'fetch', '--prod', '--store-dir', store], {
        cwd: project,
        timeoutMs: 5 * MINUTES,
      });
      await rm(project, { recursive: true });
      await engine.dockerOk(['build', '-q', '-t', keyed, directory]);
    });
  }
  await engine.dockerOk(['tag', keyed, BUILD_BASE]);
}

const BUILD_BASE_FILE = `FROM ${BASE}
COPY pnpm /usr/local/bin/pnpm
COPY store /pnpm-store
ENV pnpm_config_store_dir=/pnpm-store pnpm_config_offline=true pnpm_config_minimum_release_age=0
`;

/** The sources at this moment: every image is built from the same ones, also while somebody edits. */
async function snapshot(directory: string): Promise<void> {
  const skipped = ['node_modules', '.git', '.cache'].map((name) => `--exclude=${name}`);
  const copy = `tar -C "$0" "$@" --warning=no-file-changed -cf - . | tar -C "$PWD" -xf -`;
  await execOk(['sh', '-c', copy, ROOT, ...skipped], { cwd: directory });
}

async function buildTarget(
  engine: DockerEngine,
  context: string,
  target: string,
  image: string,
): Promise<void> {
  const file = ['-f', 'deploy/docker/Dockerfile', '--target', target, '-t', image];
  const argument = ['--build-arg', `BUILD_BASE=${BUILD_BASE}`];
  await engine.dockerOk(['build', '-q', '--network', 'none', ...file, ...argument, '.'], {
    cwd: context,
    timeoutMs: 5 * MINUTES,
  });
}

/** Base images of other versions: nothing is built on them any more. */
async function dropOutdated(engine: DockerEngine): Promise<void> {
  for (const [repository, current] of [
    [DEBIAN, 'current'],
    [BUILD_BASE, 'latest'],
  ] as const) {
    const list = await engine.dockerOk(['images', repository, '--format', '{{.Tag}} {{.ID}}']);
    const images = list.split('\n').map((line) => line.split(' '));
    const kept = images.find(([tag]) => tag === current)?.[1];
    const outdated = images.filter(([tag, id]) => tag && id !== kept);
    for (const [tag] of outdated) await engine.docker(['rmi', `${repository}:${tag}`]);
  }
}

/** Sizes of the images, for people. */
export async function imageSizes(engine: DockerEngine): Promise<string> {
  const list = await engine.dockerOk(['images', '--format', '{{.Repository}} {{.Size}}']);
  const lines = list
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('<none>'))
    .toSorted();
  return [...new Set(lines)].join(', ');
}

async function exists(engine: DockerEngine, image: string): Promise<boolean> {
  return (await engine.docker(['image', 'inspect', image])).code === 0;
}

/** pnpm's own binary: what is on PATH or in the bootstrap's cache may be a launcher. */
async function nativePnpm(): Promise<string> {
  const home = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'calico-ts');
  const { stdout } = await exec(['sh', '-c', 'command -v pnpm']);
  const found = [stdout.trim(), join(home, 'pnpm-12.21.0/node_modules/.bin/pnpm')];
  for (const path of found.filter((one) => one !== '')) {
    const binary = await nativeBehind(path);
    if (binary !== undefined) return binary;
  }
  const directory = join(home, 'pnpm-12.21.0');
  await execOk(['npm', 'install', '--silent', '--prefix', directory, 'pnpm@12.21.0'], {
    timeoutMs: 5 * MINUTES,
  });
  const binary = await nativeBehind(join(directory, 'node_modules/.bin/pnpm'));
  if (binary === undefined) throw new Error(`Cannot find pnpm's binary in "${directory}"`);
  return binary;
}

async function nativeBehind(path: string): Promise<string | undefined> {
  const { code, stdout } = await exec([path, '--version']);
  if (code !== 0 || !stdout.startsWith('12.')) return undefined;
  const real = realpathSync(path);
  const machine = process.arch === 'arm64' ? 'arm64' : 'x64';
  const name = `@pnpm/exe.linux-${machine}/pnpm`;
  const candidates = [
    real,
    join(dirname(real), 'node_modules', name),
    join(dirname(real), '..', name),
  ];
  for (const candidate of candidates) {
    const start = await readFile(candidate).then(
      (bytes) => bytes.subarray(1, 4).toString(),
      () => '',
    );
    if (start === 'ELF') return candidate;
  }
  return undefined;
}

async function inTemporary(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(RUN, 'image-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}
