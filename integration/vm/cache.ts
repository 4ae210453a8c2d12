// What is expensive to make lives outside the repository, under names that contain what it was made of.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? '/var/cache', 'calico-ts', 'vm');
}

export function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}

/**
 * The path of `<name>-<key>`, made by `make` when it is not there yet: complete or not at all. Older
 * ones of the same name are removed.
 */
export async function cached(
  name: string,
  key: string,
  make: (path: string) => Promise<void>,
): Promise<string> {
  const directory = cacheDirectory();
  const path = join(directory, `${name}-${key}`);
  if (existsSync(path)) return path;
  await mkdir(directory, { recursive: true });
  await sweepAbandoned(directory, '.');
  const unfinished = join(directory, ownName('.'));
  try {
    await make(unfinished);
    if (existsSync(path)) return path; // another process was faster
    for (const other of await readdir(directory)) {
      if (other.startsWith(`${name}-`)) await rm(join(directory, other), { recursive: true });
    }
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return path;
}

/** A name that says which process will remove it. */
export function ownName(prefix: string): string {
  return `${prefix}${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** Removes what processes that are gone have left under ownName(prefix). */
export async function sweepAbandoned(directory: string, prefix: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const [, pid] = /^(\d+)-[0-9a-f]{8}/.exec(name.slice(prefix.length)) ?? [];
    if (!name.startsWith(prefix) || pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await rm(join(directory, name), { recursive: true, force: true });
  }
}
