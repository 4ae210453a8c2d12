// Debian's cloud kernel: unlike many a machine's own it has ipip, wireguard and vrf as modules.
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exec, execOk } from '../lab/mod.ts';
import { cached, digest } from './cache.ts';

/** Preferred first; the second is in every bookworm. */
const META_PACKAGES = ['linux-image-6.12-cloud-amd64', 'linux-image-cloud-amd64'] as const;

export type Kernel = {
  /** As `uname -r` says. */
  readonly version: string;
  /** Holds vmlinuz and modules/<version>. */
  readonly directory: string;
};

export async function kernel(signal: AbortSignal): Promise<Kernel> {
  const name = await packageName();
  const version = name.replace('linux-image-', '');
  const directory = await cached('kernel', version, (path) => fetchKernel(name, path, signal));
  return { version, directory };
}

async function packageName(): Promise<string> {
  for (const meta of META_PACKAGES) {
    const { stdout } = await exec(['apt-cache', 'depends', '--no-recommends', meta]);
    const name = /Depends: (linux-image-[0-9]\S*)/.exec(stdout)?.[1];
    if (name !== undefined) return name;
  }
  throw new Error(
    `Cannot find a kernel for the virtual machine: apt knows none of ${META_PACKAGES.join(', ')}; try apt-get update`,
  );
}

async function fetchKernel(name: string, path: string, signal: AbortSignal): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o755);
  const download = () =>
    exec(['apt-get', 'download', '-qq', name], { cwd: path, timeoutMs: 300_000, signal });
  let result = await download();
  if (result.code !== 0) {
    await execOk(['apt-get', 'update', '-qq'], { timeoutMs: 300_000, signal });
    result = await download();
  }
  if (result.code !== 0) {
    throw new Error(`Cannot download package "${name}": ${result.stderr.trim()}`);
  }
  const archive = (await readdir(path)).find((file) => file.endsWith('.deb')) ?? '';
  await execOk(['dpkg', '-x', join(path, archive), join(path, 'tree')]);
  const version = name.replace('linux-image-', '');
  await copyFile(join(path, 'tree', 'boot', `vmlinuz-${version}`), join(path, 'vmlinuz'));
  const lib = ['usr/lib', 'lib'].map((dir) => join(path, 'tree', dir, 'modules')).find(existsSync);
  await rename(lib ?? '', join(path, 'modules'));
  await rm(join(path, 'tree'), { recursive: true });
  await rm(join(path, archive));
}

/** Busybox, the disk's driver and four lines that mount the disk. */
export async function initramfs({ version, directory }: Kernel, init: string): Promise<string> {
  return cached('initramfs', digest(version, init), async (path) => {
    const tree = `${path}.tree`;
    try {
      await execOk(['sh', '-euc', SCRIPT, 'sh', tree, join(directory, 'modules', version), path], {
        input: init,
      });
    } finally {
      await rm(tree, { recursive: true, force: true });
    }
  });
}

const SCRIPT = `
mkdir -p "$1/bin"
cp /bin/busybox "$1/bin/busybox"
driver=$(find "$2" -name 'virtio_blk.ko*')
case $driver in
  *.xz) xz -dc "$driver" >"$1/virtio_blk.ko" ;;
  *) cp "$driver" "$1/virtio_blk.ko" ;;
esac
cat >"$1/init"
chmod 755 "$1/init"
cd "$1"
find . | cpio --quiet -o -H newc >"$3"
`;
