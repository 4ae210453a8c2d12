// The logs below a directory, as pieces of a bundle.
import { open, readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Piece } from './diagnostics.ts';

/** Of one file: the newest part of a log is what matters. */
export const MOST_BYTES = 4_000_000;
/** What the bundle's own folder and "logs/" leave of the names that an archive can hold. */
const LONGEST_NAME = 57;

/** @param mostBytes of each log, from its end */
export async function logPieces(directory: string, mostBytes = MOST_BYTES): Promise<Piece[]> {
  const pieces: Piece[] = [];
  const tooLong: string[] = [];
  for (const file of await logsOf(directory)) {
    // An archive names files in ASCII.
    const name = encodeURI(relative(directory, file));
    if (name.length > LONGEST_NAME) tooLong.push(name);
    else pieces.push({ path: `logs/${name}`, content: () => readEnd(file, mostBytes) });
  }
  if (tooLong.length === 0) return pieces;
  const text = tooLong.map(
    (name) => `Cannot collect: "${name}" has more than ${LONGEST_NAME} bytes\n`,
  );
  return [...pieces, { path: 'logs_left_out.txt', content: async () => text.join('') }];
}

/** None where there is no such directory: many services log to the journal. */
async function logsOf(directory: string): Promise<string[]> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => entry.isFile() && /\.log/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

async function readEnd(file: string, mostBytes: number): Promise<Uint8Array> {
  await using handle = await open(file);
  const { size } = await handle.stat();
  if (size > mostBytes && /\.(gz|bz2|xz|zst)$/.test(file)) {
    throw new RangeError(`its end alone cannot be decompressed, and all has ${size} bytes`);
  }
  const end = new Uint8Array(Math.min(size, mostBytes));
  const start = size - end.length;
  let length = 0;
  while (length < end.length) {
    const { bytesRead } = await handle.read(end, length, end.length - length, start + length);
    if (bytesRead === 0) break; // it was cut meanwhile
    length += bytesRead;
  }
  return end.subarray(0, length);
}
