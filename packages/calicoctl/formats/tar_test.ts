import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { tarArchive } from './tar.ts';

const text = (value: string) => new TextEncoder().encode(value);

test('tarArchive() is what tar reads', () => {
  const archive = tarArchive(
    [
      { path: 'diags/a.txt', content: text('hello\n') },
      { path: 'diags/empty', content: text('') },
      { path: 'diags/block', content: text('x'.repeat(512)) },
    ],
    1_700_000_000,
  );
  assert.equal(archive.length % 512, 0);
  const tar = (...args: string[]) => spawnSync('tar', args, { input: archive, encoding: 'utf8' });
  assert.deepEqual(
    [tar('-tf', '-').stdout, tar('-tf', '-').stderr],
    ['diags/a.txt\ndiags/empty\ndiags/block\n', ''],
  );
  assert.equal(tar('-xOf', '-', 'diags/a.txt').stdout, 'hello\n');
});

test('tarArchive() refuses a path that a header cannot hold', () => {
  assert.throws(() => tarArchive([{ path: 'x'.repeat(101), content: text('') }], 0), /1 to 100/);
});
