// Debian's cloud kernel: unlike many a machine's own it has ipip, wireguard and vrf as modules.
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exec, execOk } from '../lab/mod.ts';
import { cached, digest } from './cache.ts';

/** Preferred first; the second is in every Debian. */
const META_PACKAGES = ['linux-image-6.12-cloud-amd64', 'linux-image-cloud-amd64'] as const;

export type Kernel = {
  /** As `uname -r` says. */
  readonly version: string;
  /** The version's first two numbers; one kernel of each is kept. */
  readonly series: string;
  /** Holds vmlinuz and modules/<version>. */
  readonly directory: string;
};

/** The newest that apt knows, or the newest of a series such as "6.1". */
export async function kernel(signal: AbortSignal, series?: string): Promise<Kernel> {
  const name = await packageName(series);
  const version = name.replace('linux-image-', '');
  const kept = seriesOf(version);
  const directory = await cached(`kernel-${kept}`, version, (path) =>
    fetchKernel(name, path, signal),
  );
  return { version, series: kept, directory };
}

function seriesOf(version: string): string {
  return version.split('.', 2).join('.');
}

async function packageName(series: string | undefined): Promise<string> {
  const found: string[] = [];
  for (const meta of META_PACKAGES) {
    const { stdout } = await exec(['apt-cache', 'depends', '--no-recommends', meta]);
    const name = /Depends: (linux-image-[0-9]\S*)/.exec(stdout)?.[1];
    if (name === undefined) continue;
    const version = name.replace('linux-image-', '');
    if (series === undefined || series === seriesOf(version)) return name;
    found.push(name);
  }
  const wanted = series === undefined ? 'a kernel' : `a kernel ${series}`;
  const known = found.length === 0 ? `none of ${META_PACKAGES.join(', ')}` : found.join(', ');
  throw new Error(
    `Cannot find ${wanted} for the virtual machine: apt knows ${known}; try apt-get update`,
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

/** Busybox, what the disk's driver consists of and four lines that mount the disk. */
export async function initramfs(
  { version, series, directory }: Kernel,
  init: string,
): Promise<string> {
  return cached(`initramfs-${series}`, digest(version, init, SCRIPT), async (path) => {
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
# In the order in which they need each other; what a kernel has built in is no file.
for name in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
  driver=$(find "$2" -name "$name.ko*")
  case $driver in
    '') continue ;;
    *.xz) xz -dc "$driver" >"$1/$name.ko" ;;
    *) cp "$driver" "$1/$name.ko" ;;
  esac
  echo "/$name.ko" >>"$1/modules"
done
cat >"$1/init"
chmod 755 "$1/init"
cd "$1"
find . | cpio --quiet -o -H newc >"$3"
`;
