// A bundle of files for whoever looks into a problem elsewhere. What cannot be had is in it as its error.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CommandError } from './command_error.ts';
import { tarArchive } from './formats/tar.ts';
import type { Session } from './session.ts';

/** One file of the bundle. */
export type Piece = {
  /** Inside the bundle: at most 62 characters, in ASCII. */
  readonly path: string;
  readonly content: () => Promise<string | Uint8Array>;
};

/** What a command prints; a failure of it is part of the answer. */
export function commandPiece({ command }: Session, path: string, words: string): Piece {
  return {
    path,
    content: async () => {
      const { code, text } = await command(words.split(' '));
      return code === 0 ? text : `${text}(exit code ${code})\n`;
    },
  };
}

/** Collects the pieces one after the other and says where the bundle is. @throws CommandError */
export async function saveBundle(
  { terminal }: Session,
  name: string,
  pieces: readonly Piece[],
  directory: string,
): Promise<void> {
  const now = terminal.now();
  const folder = `${name}-${new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '')}`;
  const files = [];
  for (const { path, content } of pieces) {
    terminal.out(`Collecting ${path}\n`);
    const found = await content().catch((cause: unknown) => `Cannot collect: ${reason(cause)}\n`);
    const bytes = typeof found === 'string' ? new TextEncoder().encode(found) : found;
    files.push({ path: `${folder}/${path}`, content: bytes });
  }
  const file = join(directory, `${folder}.tar.gz`);
  try {
    await mkdir(directory).catch((cause: unknown) => {
      if (!isThere(cause)) throw cause;
    });
    // Its name can be guessed: in /tmp somebody else could have put a link there.
    await writeFile(file, gzipSync(tarArchive(files, now / 1000)), { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const state = isThere(cause) ? 'it exists already' : reason(cause);
    throw new CommandError(`Cannot write "${file}": ${state}`, {
      cause,
      advice: 'Choose a directory that may be written with --output-dir.',
    });
  }
  terminal.out(`Diags saved to ${file}\n`);
}

function isThere(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'EEXIST';
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
