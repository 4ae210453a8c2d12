import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from '@calico/model';
import { Killed } from './fake_world.ts';
import { CHECK, HOST, POD, world } from './sample_world.ts';
import { ADD_STEPS, REMOVE_STEPS } from './steps.ts';
import { WorkloadError, type WorkloadErrorKind } from './workload_error.ts';

async function fails(
  promise: Promise<unknown>,
  kind: WorkloadErrorKind,
  pattern: RegExp,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert(error instanceof WorkloadError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, pattern);
    return true;
  });
}

test('add() connects a pod, DEL takes everything back', async () => {
  const w = world();
  const felix = w.start();
  const record = await w.settle(felix.actions.add(POD));
  assert.equal(record.hostInterface, HOST);
  assert.equal(record.mtu, 1500);
  assert.deepEqual(
    w.list('WorkloadEndpoint').map(({ metadata, spec }) => [metadata.name, spec.ipNetworks]),
    [['n1-k8s-busybox--deploy--5c8bbcc5f7--ddmm9-eth0', ['10.244.0.1/32']]],
  );
  assert.deepEqual([...w.routes.keys()], ['10.244.0.1/32 0']);
  assert.equal(w.policy?.localEndpoints.length, 1);
  felix.actions.check(CHECK);
  assert.deepEqual(felix.actions.info().workloads, 1);
  await w.pass(100);
  assert.deepEqual(
    w.reports.at(-1)?.endpoints.map(({ state }) => state),
    ['up'],
  );
  await w.settle(felix.actions.remove(POD));
  assert.deepEqual(w.leftovers(), []);
});

test('add() again answers the same and changes nothing', async () => {
  const w = world();
  const felix = w.start();
  const first = await w.settle(felix.actions.add(POD));
  const second = await w.settle(felix.actions.add(POD));
  assert.deepEqual(second, first);
  assert.equal(w.assigned.size, 1);
});

test('add() commits the policy before the interface exists', async () => {
  const w = world();
  const felix = w.start();
  w.policyFailure = 'no memory';
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /Cannot commit .*no memory/);
  assert.equal(w.devices.size, 0);
  w.policyFailure = undefined;
  await w.pass(5_000);
  assert.deepEqual(w.leftovers(), []);
});

for (const step of ADD_STEPS) {
  test(`a crash at ${step} leaves nothing, and repeating the call succeeds`, async () => {
    const w = world();
    await assert.rejects(w.settle(w.start(step).actions.add(POD)), Killed);
    // With the call repeated at once by the runtime.
    const felix = w.start();
    await w.settle(felix.actions.add(POD));
    felix.actions.check(CHECK);
    assert.equal(w.assigned.size, 1);
    await w.settle(felix.actions.remove(POD));
    assert.deepEqual(w.leftovers(), []);
  });

  test(`a crash at ${step} without a repeated call leaves nothing`, async () => {
    const w = world();
    await assert.rejects(w.settle(w.start(step).actions.add(POD)), Killed);
    const felix = w.start();
    await w.pass(5_000);
    // The last step is the only one after which the workload counts as added.
    if (step === 'add:recorded') felix.actions.check(CHECK);
    else assert.deepEqual(w.leftovers(), []);
  });
}

for (const step of REMOVE_STEPS) {
  test(`a crash at ${step} is finished after the restart`, async () => {
    const w = world();
    const first = w.start(step);
    await w.settle(first.actions.add(POD));
    await Promise.allSettled([w.settle(first.actions.remove(POD))]);
    const felix = w.start();
    await w.settle(felix.actions.remove(POD));
    await w.pass(5_000);
    assert.deepEqual(w.leftovers(), []);
  });
}

test('add() while ipam is away fails and leaves nothing', async () => {
  const w = world();
  const felix = w.start();
  w.isIpamUp = false;
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /ipam/);
  assert.equal(w.devices.size, 0);
  assert.deepEqual(w.list('WorkloadEndpoint'), []);
  w.isIpamUp = true;
  await w.pass(10_000);
  assert.deepEqual(w.leftovers(), []);
});

test('add() while api is away releases the address and leaves nothing', async () => {
  const w = world();
  const felix = w.start();
  w.isApiUp = false;
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /api/);
  assert.equal(w.devices.size, 0);
  w.isApiUp = true;
  await w.pass(10_000);
  assert.deepEqual(w.leftovers(), []);
});

test('add() refuses a container under another pod, a taken host interface, a missing netns', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await fails(
    w.settle(felix.actions.add({ ...POD, pod: 'other' })),
    'precondition',
    /container "c1": it exists with pod "busybox/,
  );
  await fails(
    w.settle(felix.actions.add({ ...POD, containerId: 'c2', netns: '/ns/b' })),
    'precondition',
    /host interface "cali918b33f2bbe" belongs to "eth0" of container "c1"/,
  );
  await fails(
    w.settle(felix.actions.add({ ...POD, containerId: 'c3', pod: 'third', netns: '/ns/none' })),
    'precondition',
    /"\/ns\/none": it does not exist/,
  );
  felix.actions.check(CHECK);
  assert.equal(w.assigned.size, 1);
});

test('two add() calls for one pod at once: one wins, the other is refused', async () => {
  const w = world();
  const felix = w.start();
  const both = await w.settle(
    Promise.allSettled([
      felix.actions.add(POD),
      felix.actions.add({ ...POD, containerId: 'c2', netns: '/ns/b' }),
    ]),
  );
  assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
  assert.equal(w.assigned.size, 1);
});

test('a container whose namespace is gone makes way for its successor', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  w.netns.delete('/ns/a');
  const next = { ...POD, containerId: 'c2', netns: '/ns/b' };
  await w.settle(felix.actions.add(next));
  await w.pass(10_000);
  felix.actions.check({ ...CHECK, ...next });
  assert.deepEqual([...w.assigned.keys()], ['net.c2']);
  assert.equal(w.list('WorkloadEndpoint')[0]?.spec.containerID, 'c2');
});

test('add() before the cluster is known fails after a while and leaves nothing', async () => {
  const w = world();
  w.isInSync = false;
  const felix = w.start();
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /not known yet/);
  assert.deepEqual(w.leftovers(), []);
});

test('a pool whose tunnel the kernel lacks is refused by name', async () => {
  const w = world({ ipipMode: 'Always' });
  w.missing.set('ipip', 'unknown device kind');
  const felix = w.start();
  await fails(
    w.settle(felix.actions.add(POD)),
    'precondition',
    /^pool pool: ipipMode Always needs the ipip module: unknown device kind$/,
  );
  await w.pass(100);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /pool pool: ipipMode Always needs/);
  assert.deepEqual(w.leftovers(), []);
  assert.match((await felix.actions.readiness()).reasons.join(), /ipip module/);
});

function clusterInformation(datastoreReady: boolean) {
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'ClusterInformation',
    metadata: { name: 'default' },
    spec: { datastoreReady },
  });
}

test('add() while the datastore is locked is refused, and goes on when it is opened', async () => {
  const w = world();
  const lock = (datastoreReady: boolean) => w.put(clusterInformation(datastoreReady));
  const felix = w.start();
  const early = await w.settle(felix.actions.add(POD));
  lock(false);
  const late = { ...POD, containerId: 'c2', pod: 'late', netns: '/ns/b' };
  await fails(w.settle(felix.actions.add(late)), 'unavailable', /datastore is locked.*unlock/);
  // It is said, but the node stays ready: a runtime that heard otherwise would have all pods evicted.
  assert.deepEqual((await felix.actions.readiness()).reasons, []);
  felix.viewChanged(['ClusterInformation']);
  await w.pass(100);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /datastore is locked/);
  assert.equal(w.reports.at(-1)?.ready, true);
  // What runs already is answered as before, and leaves when it is told to.
  assert.deepEqual(await w.settle(felix.actions.add(POD)), early);
  await w.settle(felix.actions.remove(POD));
  assert.deepEqual(w.leftovers(), []);
  lock(true);
  await w.settle(felix.actions.add(late));
  assert.equal(w.list('WorkloadEndpoint').length, 1);
  felix.viewChanged(['ClusterInformation']);
  await w.pass(100);
  assert.deepEqual(w.reports.at(-1)?.messages, []);
});

test('add() under way when the datastore is locked writes no endpoint and takes all back', async () => {
  const w = world();
  const felix = w.start(undefined, (step) => {
    if (step === 'add:address-assigned') w.put(clusterInformation(false));
    assert.notEqual(step, 'add:endpoint-written');
  });
  await fails(w.settle(felix.actions.add(POD)), 'unavailable', /datastore is locked/);
  assert.deepEqual(w.list('WorkloadEndpoint'), []);
  await w.pass(10_000);
  assert.deepEqual(w.leftovers(), []);
});

test('add() that is locked out while its predecessor is removed takes no address', async () => {
  const w = world();
  await w.settle(w.start().actions.add(POD));
  w.netns.delete('/ns/a');
  const felix = w.start(undefined, (step) => {
    if (step === 'del:policy-committed') w.put(clusterInformation(false));
    assert(!step.startsWith('add:'), step);
  });
  const next = { ...POD, containerId: 'c2', netns: '/ns/b' };
  await fails(w.settle(felix.actions.add(next)), 'unavailable', /datastore is locked/);
});
