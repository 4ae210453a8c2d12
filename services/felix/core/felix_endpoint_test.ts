import assert from 'node:assert/strict';
import { test } from 'node:test';
import { POD, world } from './sample_world.ts';

test('an endpoint that the store lost is written again', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  w.forget('WorkloadEndpoint');
  w.revision += 10n;
  felix.viewChanged(['WorkloadEndpoint']);
  await w.pass(1_000);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});

test('an endpoint that an old backup of the store lacks is written again', async () => {
  const w = world();
  w.revision = 100n;
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  w.forget('WorkloadEndpoint');
  w.revision = 50n;
  felix.viewChanged(['WorkloadEndpoint']);
  await w.pass(1_000);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});

test('an endpoint whose addresses were lost with it gets them back first', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  const [endpoint] = w.list('WorkloadEndpoint');
  w.assigned.clear();
  w.forget('WorkloadEndpoint');
  w.revision += 10n;
  felix.viewChanged(['WorkloadEndpoint']);
  await w.pass(1_000);
  const held = [...w.assigned.values()].flat().map(({ address }) => `${address}/32`);
  assert.deepEqual(held, endpoint?.spec.ipNetworks);
  assert.deepEqual(w.list('WorkloadEndpoint')[0]?.spec.ipNetworks, endpoint?.spec.ipNetworks);
});

test('an endpoint whose addresses are released before it is written is refused, and taken back', async () => {
  const w = world();
  const felix = w.start();
  // The node is declared gone while the pod's policy is committed.
  const released = { set: () => w.assigned.clear(), configurable: true };
  Object.defineProperty(w, 'policy', released);
  await assert.rejects(w.settle(felix.actions.add(POD)), /holds no addresses/);
  Object.defineProperty(w, 'policy', { value: undefined, writable: true });
  await w.pass(5_000);
  assert.deepEqual(w.leftovers(), []);
});
