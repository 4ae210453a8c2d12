import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { logPieces } from './log_pieces.ts';

test('logPieces() takes the end of each log, byte for byte, under a name of ASCII', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'calicoctl-logs-'));
  try {
    const zipped = Uint8Array.of(0x1f, 0x8b, 0xff, 0xfe);
    await mkdir(join(folder, 'cni'));
    await writeFile(join(folder, 'cni', 'cni.log'), '0123456789');
    await writeFile(join(folder, 'x.log.1.gz'), zipped);
    await writeFile(join(folder, 'y.log.1.gz'), '0123456789');
    await writeFile(join(folder, 'ü%.log'), '');
    await writeFile(join(folder, `${'l'.repeat(70)}.log`), 'not seen');
    await writeFile(join(folder, 'other.txt'), 'not seen');
    for (const directory of [folder, `${folder}/`]) {
      const pieces = await logPieces(directory, 4);
      const read = pieces.map(async ({ path, content }) => {
        const bytes = await content().catch((cause: Error) => cause.message);
        return [path, typeof bytes === 'string' ? bytes : [...bytes]];
      });
      assert.deepEqual(await Promise.all(read), [
        ['logs/cni/cni.log', [0x36, 0x37, 0x38, 0x39]],
        ['logs/x.log.1.gz', [...zipped]],
        ['logs/y.log.1.gz', 'its end alone cannot be decompressed, and all has 10 bytes'],
        ['logs/%C3%BC%25.log', []],
        ['logs_left_out.txt', `Cannot collect: "${'l'.repeat(70)}.log" has more than 57 bytes\n`],
      ]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('logPieces() of a directory that is not there', async () => {
  assert.deepEqual(await logPieces('/nowhere'), []);
});
