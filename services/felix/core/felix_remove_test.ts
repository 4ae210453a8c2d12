import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHECK, HOST, POD, world } from './sample_world.ts';
import type { CheckRequest } from './workload_check.ts';
import { WorkloadError } from './workload_error.ts';

test('remove() while ipam and api are away frees the node at once and the rest later', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  w.isIpamUp = false;
  w.isApiUp = false;
  await w.settle(felix.actions.remove(POD));
  assert.equal(w.devices.size, 0);
  assert.equal(w.policy?.localEndpoints.length, 0);
  assert.equal(w.assigned.size, 1);
  // Also when the process is restarted meanwhile.
  w.start();
  await w.pass(2_000);
  w.isApiUp = true;
  await w.pass(10_000);
  // The endpoint and its addresses go together.
  assert.deepEqual([w.list('WorkloadEndpoint').length, w.assigned.size], [1, 1]);
  w.isIpamUp = true;
  await w.pass(10_000);
  assert.deepEqual(w.leftovers(), []);
});

test('remove() forgets the connections of an address before the address can be used again', async () => {
  const w = world();
  const felix = w.start();
  const { addresses } = await w.settle(felix.actions.add(POD));
  w.isIpamUp = false;
  await w.settle(felix.actions.remove(POD));
  assert.equal(w.assigned.size, 1);
  assert.deepEqual(
    w.forgotten,
    addresses.map(({ address }) => address),
  );
});

test('remove() of what does not exist succeeds', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.remove(POD));
  assert.deepEqual(w.leftovers(), []);
});

test('remove() spares the endpoint and the device of another container', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.settle(felix.actions.remove({ ...POD, containerId: 'old', netns: '/ns/b' }));
  felix.actions.check(CHECK);
  assert.equal(w.list('WorkloadEndpoint').length, 1);
});

test('check() names what differs', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  const failing = (pattern: RegExp, request: Partial<CheckRequest> = {}): void => {
    assert.throws(
      () => felix.actions.check({ ...CHECK, ...request }),
      (error) => error instanceof WorkloadError && pattern.test(error.message),
    );
  };
  failing(/pod is ".*", not "x"/, { pod: 'x' });
  failing(/address "10.9.9.9\/32" is not assigned/, { expectedAddresses: ['10.9.9.9/32'] });
  failing(/host interface is "cali918b33f2bbe", not "caliX"/, { expectedHostInterface: 'caliX' });
  failing(/no such workload/, { containerId: 'nobody' });
  w.routes.clear();
  failing(/host route "10.244.0.1\/32 dev cali918b33f2bbe" is missing/);
  w.removeDevice(HOST);
  failing(/host interface "cali918b33f2bbe" does not exist/);
});

test('collectGarbage() removes what nobody claims, of its network only', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.settle(felix.actions.add({ ...POD, containerId: 'c2', pod: 'second', netns: '/ns/b' }));
  assert.deepEqual(await w.settle(felix.actions.collectGarbage('other', [])), []);
  const removed = await w.settle(
    felix.actions.collectGarbage('net', [{ containerId: 'c2', interfaceName: 'eth0' }]),
  );
  assert.deepEqual(removed, [{ containerId: 'c1', interfaceName: 'eth0' }]);
  assert.deepEqual([...w.assigned.keys()], ['net.c2']);
});

test('a start with more removals left than may be under way goes on', async () => {
  const w = world();
  w.isIpamUp = false;
  const first = w.start();
  for (let i = 0; i < 300; i++) {
    await w.settle(first.actions.remove({ ...POD, containerId: `old${i}`, pod: `old${i}` }));
  }
  first.stop();
  w.isIpamUp = true;
  w.start();
  await w.pass(60_000);
  assert.deepEqual(w.leftovers(), []);
});

test('a removal that always times out keeps no other one from its turn', async () => {
  const w = world();
  const felix = w.start();
  const later = { ...POD, containerId: 'c2', pod: 'other', netns: '/ns/b' };
  await w.settle(felix.actions.add(POD));
  const [stuck] = w.assigned.keys();
  await w.settle(felix.actions.add(later));
  w.isIpamUp = false;
  await w.settle(felix.actions.remove(POD));
  await w.settle(felix.actions.remove(later));
  w.isIpamUp = true;
  w.stuckHandle = stuck;
  await w.pass(30_000);
  assert.deepEqual([...w.assigned.keys()], [stuck]);
  w.stuckHandle = undefined;
  await w.pass(30_000);
  assert.deepEqual(w.leftovers(), []);
});
