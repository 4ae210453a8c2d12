// A tar archive (POSIX.1-1988 ustar) of regular files.

export type ArchivedFile = {
  /** At most 100 characters, in ASCII. */
  readonly path: string;
  readonly content: Uint8Array;
};

const BLOCK = 512;

/** @param seconds Unix time of all files */
export function tarArchive(files: readonly ArchivedFile[], seconds: number): Uint8Array {
  const parts = files.flatMap(({ path, content }) => [
    header(path, content.length, seconds),
    content,
    new Uint8Array((BLOCK - (content.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...parts, new Uint8Array(2 * BLOCK)]);
}

function header(path: string, size: number, seconds: number): Uint8Array {
  if (!/^[\x20-\x7e]{1,100}$/.test(path)) {
    throw new RangeError(`Cannot archive "${path}": expected 1 to 100 characters of ASCII`);
  }
  const block = Buffer.alloc(BLOCK);
  block.write(path, 0);
  block.write('0000600\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(octal(size), 124);
  block.write(octal(seconds), 136);
  block.write('        0', 148);
  block.write('ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** 11 digits and a space, for sizes and times. */
function octal(value: number): string {
  return `${Math.floor(value).toString(8).padStart(11, '0')} `;
}
