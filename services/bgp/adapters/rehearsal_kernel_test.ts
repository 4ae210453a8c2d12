import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Rehearsal } from '../core/rehearsal/rehearsal.ts';
import { rehearsalKernel } from './rehearsal_kernel.ts';

test('a rehearsal finds all routes written, and ends with empty tables on every stage', async () => {
  let asked = 0;
  let most = 0;
  const resolve = (): undefined => void (asked += 1);
  const rehearsal = new Rehearsal(() => rehearsalKernel({ resolve }));
  const stages = new Set<Rehearsal['stage']>();
  while (rehearsal.next()) {
    stages.add(rehearsal.stage);
    most = Math.max(most, rehearsal.stage?.kernelRoutes ?? 0);
    await turn();
  }
  await turn();
  assert.equal(stages.size, 4);
  assert.equal(most, 768);
  for (const stage of stages) assert.deepEqual([stage?.paths, stage?.kernelRoutes], [0, 0]);
  assert.ok(asked > 0);
});
