import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { ResourceSchema } from '@calico/proto/api/v1/resources';
import { blocksAndEndpoints } from './blocks_and_endpoints.ts';

/** What is read where there is one block, of these revisions one after the other, and one endpoint. */
async function readWith(blockRevision: () => bigint): Promise<unknown[]> {
  const resources = await blocksAndEndpoints(async (kind) => [
    create(ResourceSchema, {
      kind,
      name: 'one',
      revision: kind === 'IPAMBlock' ? blockRevision() : 0n,
    }),
  ]);
  return resources.map(({ kind, revision }) => [kind, revision]);
}

test('blocksAndEndpoints() reads again what changed while endpoints were read', async () => {
  const revisions = [1n, 2n, 2n];
  assert.deepEqual(await readWith(() => revisions.shift() ?? 0n), [
    ['IPAMBlock', 2n],
    ['WorkloadEndpoint', 0n],
  ]);
  assert.deepEqual(revisions, []);
});

test('blocksAndEndpoints() gives up when blocks never stay the same', async () => {
  let revision = 0n;
  await assert.rejects(
    readWith(() => ++revision),
    /^CommandError: Cannot export the datastore: addresses are assigned or released whenever/,
  );
});
