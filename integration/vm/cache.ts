// What is expensive to make lives outside the repository, under names that contain what it was made of.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

export function cacheDirectory(): string {
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
  const unfinished = join(directory, `.${name}-${randomBytes(4).toString('hex')}`);
  try {
    await make(unfinished);
    for (const other of await readdir(directory)) {
      if (other.startsWith(`${name}-`)) await rm(join(directory, other), { recursive: true });
    }
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return path;
}
