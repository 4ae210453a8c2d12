import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POD, world } from './sample_world.ts';

test('an endpoint that was lost before the view had seen it is written again with any later change', async () => {
  const w = world();
  const felix = w.start();
  const keep = w.put.bind(w);
  // Written, and gone before the view comes to that revision.
  w.put = () => w.revision + 5n;
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  w.put = keep;
  assert.equal(w.list('WorkloadEndpoint').length, 0);
  w.revision += 10n;
  felix.viewChanged(['NetworkPolicy']);
  await w.pass(1_000);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});
