// The images, without a registry: Debian by mmdebstrap under the name that the Dockerfile uses, etcd and
// NATS from Debian's packages under the names that the compose file uses, ours by the Dockerfile.

import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { exec, execOk, ROOT } from '../lab/mod.ts';
import type { DockerEngine } from './engine.ts';

const MINUTES = 60_000;
const BASE = 'debian:bookworm-slim';
const BUILD_BASE = 'calico-ts/build-base';

export const IMAGES = {
  etcd: 'quay.io/coreos/etcd:v3.5.21',
  nats: 'nats:2.11',
  api: 'calico-ts/api',
  ipam: 'calico-ts/ipam',
  status: 'calico-ts/status',
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
  await step(note, `images ${IMAGES.etcd} and ${IMAGES.nats}`, () => serverImages(engine));
  await step(note, 'base image with pnpm and its store', () => buildBase(engine));
  for (const target of ['node', 'api', 'ipam', 'status'] as const) {
    await step(note, `image ${IMAGES[target]}`, () => buildTarget(engine, target));
  }
}

async function step(note: Note, what: string, work: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await work();
  note(`${what} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

async function debianImage(engine: DockerEngine): Promise<void> {
  const keyed = `calico-ts/debian:${digest(PACKAGES.join(' '))}`;
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
  await engine.dockerOk(['tag', keyed, BASE]);
}

async function serverImages(engine: DockerEngine): Promise<void> {
  const files = {
    [IMAGES.etcd]: `FROM ${BASE}\nEXPOSE 2379\nCMD ["etcd"]\n`,
    [IMAGES.nats]: `FROM ${BASE}\nEXPOSE 4222\nENTRYPOINT ["nats-server"]\n`,
  };
  for (const [image, text] of Object.entries(files)) {
    await engine.dockerOk(['build', '-q', '-t', image, '-'], { input: text });
  }
}

/** Debian with pnpm and a store that holds what the lock file names, so that nothing is downloaded. */
async function buildBase(engine: DockerEngine): Promise<void> {
  const lock = await readFile(join(ROOT, 'pnpm-lock.yaml'), 'utf8');
  const keyed = `${BUILD_BASE}:${digest(lock, PACKAGES.join(' '), BUILD_BASE_FILE)}`;
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

async function buildTarget(engine: DockerEngine, target: keyof typeof IMAGES): Promise<void> {
  const args = [
    'build',
    '-q',
    '-f',
    'deploy/docker/Dockerfile',
    '--target',
    target,
    '--build-arg',
    `BUILD_BASE=${BUILD_BASE}`,
    '-t',
    IMAGES[target],
    '.',
  ];
  await engine.dockerOk(args, { cwd: ROOT, timeoutMs: 5 * MINUTES });
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
  const directory = await mkdtemp(join(tmpdir(), 'caldk-image-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}
