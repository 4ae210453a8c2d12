import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CommandError } from './command_error.ts';
import { parseDocuments, readDocuments } from './documents.ts';

const noInput = () => Promise.reject(new Error('not read'));

async function kinds(location: string, recursive = false): Promise<unknown[]> {
  const documents = await readDocuments(location, async () => 'kind: I', { recursive });
  return documents.map(({ value }) => value['kind']);
}

test('parseDocuments() numbers documents and finds lines', () => {
  const documents = parseDocuments(
    'kind: A\n---\n# nothing\n---\nkind: B\nspec:\n  list:\n    - x\n    - y\n',
    'f.yaml',
  );
  assert.deepEqual(
    documents.map(({ number, value }) => [number, value['kind']]),
    [
      [1, 'A'],
      [3, 'B'],
    ],
  );
  const [, second] = documents;
  assert.equal(second?.lineOf(['spec', 'list', 1]), 9);
  assert.equal(second?.lineOf(['spec', 'missing']), 7);
  assert.equal(second?.lineOf([]), 5);
});

test('parseDocuments() takes lists apart', () => {
  const list = parseDocuments(
    'kind: IPPoolList\nitems:\n- kind: IPPool\n- kind: IPPool\n  spec: {cidr: 1}\n',
    'f',
  );
  assert.deepEqual(
    list.map(({ value }) => value['kind']),
    ['IPPool', 'IPPool'],
  );
  assert.equal(list[1]?.lineOf(['spec', 'cidr']), 5);
  const array = parseDocuments('[{"kind": "A"},\n {"kind": "B"}]', 'f.json');
  assert.deepEqual(
    array.map(({ value }) => value['kind']),
    ['A', 'B'],
  );
});

test('parseDocuments() says where the text is wrong', () => {
  assert.throws(() => parseDocuments('kind: A\n---\nkind: {B\n', 'f.yaml'), {
    name: 'CommandError',
    message: /^Cannot read file "f\.yaml", document 2, line [34], column \d+: /,
  });
  assert.throws(() => parseDocuments('just text', 'f.yaml'), {
    message:
      'Cannot use file "f.yaml", document 1: expected a resource with apiVersion, kind and metadata, found "just text"',
  });
  assert.deepEqual(parseDocuments('', 'f.yaml'), []);
});

test('readDocuments() reads files, directories and standard input', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'calicoctl-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'inner'));
  await writeFile(join(folder, 'b.yml'), 'kind: B');
  await writeFile(join(folder, 'a.json'), '{"kind": "A"}');
  await writeFile(join(folder, 'notes.txt'), 'nothing');
  await writeFile(join(folder, 'inner', 'c.yaml'), 'kind: C');
  assert.deepEqual(await kinds(folder), ['A', 'B']);
  assert.deepEqual(await kinds(folder, true), ['A', 'B', 'C']);
  assert.deepEqual(await kinds(join(folder, 'b.yml')), ['B']);
  assert.deepEqual(await kinds('-'), ['I']);
  await assert.rejects(readDocuments(join(folder, 'no'), noInput), CommandError);
});
