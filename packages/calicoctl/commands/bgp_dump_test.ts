import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Session } from '../session.ts';
import { dumpTable } from './bgp_dump.ts';

/** @param fails after the first piece */
function session(fails: boolean): { session: Session; out: string[] } {
  const out: string[] = [];
  const client = {
    async *dumpTable() {
      yield { mrt: Uint8Array.of(1, 2) };
      if (fails) throw new Error('the speaker is gone');
      yield { mrt: Uint8Array.of(3) };
    },
  };
  const fake = {
    connections: { ask: (_name: string, call: (client: unknown) => unknown) => call(client) },
    terminal: { out: (text: string) => out.push(text) },
  };
  return { session: fake as unknown as Session, out };
}

test('dumpTable() leaves a whole file or none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'calico-dump-'));
  try {
    const file = join(folder, 'table.mrt');
    await assert.rejects(dumpTable(session(true).session, file), /the speaker is gone/);
    assert.deepEqual(await readdir(folder), []);
    const good = session(false);
    await dumpTable(good.session, file);
    assert.deepEqual([...(await readFile(file))], [1, 2, 3]);
    assert.deepEqual(await readdir(folder), ['table.mrt']);
    assert.deepEqual(good.out, [`Wrote 3 bytes to '${file}'\n`]);
    await assert.rejects(
      dumpTable(session(false).session, join(folder, 'none', 'x')),
      /Cannot write ".*": ENOENT/,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
