// An endpoint whose writing got no answer, and that is written after the ADD was taken back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POD, world } from './sample_world.ts';

/** An ADD was taken back; its endpoint is still under way. */
async function takenBack() {
  const w = world();
  const felix = w.start();
  w.unanswered = [];
  await assert.rejects(w.settle(felix.actions.add(POD)), /no answer/);
  await w.pass(5_000);
  const [late] = w.unanswered;
  assert(late !== undefined);
  w.unanswered = undefined;
  assert.deepEqual(w.leftovers(), []);
  return { w, felix, late };
}

test('an endpoint that is written after its ADD was taken back is removed', async () => {
  const { w, late } = await takenBack();
  w.put(late);
  assert.equal(w.policy?.localEndpoints.length, 0);
  await w.pass(5_000);
  assert.deepEqual(w.list('WorkloadEndpoint'), []);
  assert.equal(w.journal.size, 0);
});

test('also after a restart, and when DEL came in between', async () => {
  const { w, felix, late } = await takenBack();
  await w.settle(felix.actions.remove(POD));
  w.start();
  await w.pass(5_000);
  w.put(late);
  await w.pass(5_000);
  assert.deepEqual(w.list('WorkloadEndpoint'), []);
  assert.equal(w.journal.size, 0);
});

test('one that does not come is forgotten in the end, and hinders no other ADD meanwhile', async () => {
  const { w, felix } = await takenBack();
  await w.settle(felix.actions.add({ ...POD, containerId: 'c2' }));
  await w.pass(590_000);
  assert.equal(w.journal.size, 2);
  await w.pass(15_000);
  assert.deepEqual([...w.journal.keys()], ['c2/eth0']);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});
