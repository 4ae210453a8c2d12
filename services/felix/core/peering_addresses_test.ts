import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResource } from '@calico/model';
import { HOST, node, POD, world } from './sample_world.ts';

const resource = (kind: string, name: string, spec: object) =>
  parseResource({ apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec });
const configuration = (spec: object) => resource('BGPConfiguration', 'default', spec);
const peer = (spec: object) => resource('BGPPeer', 'routers', { asNumber: 65010, ...spec });

const SELECTED = { localWorkloadSelector: 'app == "busybox"' };
const BOTH = {
  localWorkloadPeeringIPV4: '169.254.0.179',
  localWorkloadPeeringIPV6: 'fd00::179',
};
const AT_HOST = [`${HOST} 169.254.0.179`];

test('a selected pod has the address of its IP version on its host end, others have none', async () => {
  const w = world();
  w.put(configuration(BOTH));
  w.put(peer(SELECTED));
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.settle(
    felix.actions.add({ ...POD, containerId: 'c2', netns: '/ns/b', pod: 'web', labels: {} }),
  );
  await w.pass(100);
  assert.deepEqual([...w.podAddresses.keys()], AT_HOST);
  await w.settle(felix.actions.remove(POD));
  await w.pass(100);
  assert.deepEqual([...w.podAddresses.keys()], []);
});

test('the address comes and goes with configuration, selector and node', async () => {
  const w = world();
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  const after = async (change: Parameters<typeof w.put>[0]) => {
    w.put(change);
    felix.viewChanged([change.kind]);
    await w.pass(100);
    return [...w.podAddresses.keys()];
  };
  assert.deepEqual(await after(configuration(BOTH)), []);
  assert.deepEqual(await after(peer(SELECTED)), AT_HOST);
  assert.deepEqual(await after(peer({ localWorkloadSelector: 'app == "web"' })), []);
  const ofRack = peer({ ...SELECTED, nodeSelector: 'rack == "1"' });
  assert.deepEqual(await after(ofRack), []);
  const own = node('n1', '192.168.80.101/24');
  const inRack = { ...own, metadata: { ...own.metadata, labels: { rack: '1' } } } as typeof own;
  assert.deepEqual(await after(inRack), AT_HOST);
  assert.deepEqual(await after(configuration({ localWorkloadPeeringIPV4: '169.254.0.180' })), [
    `${HOST} 169.254.0.180`,
  ]);
  assert.deepEqual(await after(configuration({})), []);
});

test('addresses are looked for after a start, while any is wanted, and until the last is gone', async () => {
  const w = world();
  const felix = w.start();
  const dumps = async (change?: Parameters<typeof w.put>[0]) => {
    const before = w.addressDumps;
    if (change !== undefined) w.put(change);
    felix.viewChanged(change === undefined ? [] : [change.kind]);
    felix.agent.kernelChanged();
    await w.pass(100);
    return w.addressDumps - before;
  };
  assert(w.addressDumps + (await dumps()) > 0);
  await w.settle(felix.actions.add(POD));
  assert.equal(await dumps(), 0);
  assert.equal(await dumps(configuration(BOTH)), 0);
  // For what to put, and for what has come of it.
  assert.equal(await dumps(peer(SELECTED)), 2);
  assert.equal(await dumps(), 1);
  assert.equal(await dumps(configuration({})), 2);
  assert.deepEqual([...w.podAddresses.keys()], []);
  assert.equal(await dumps(), 0);
});

test('what others do to the address is undone and said, also after a restart', async () => {
  const w = world();
  w.put(configuration(BOTH));
  w.put(peer(SELECTED));
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(100);
  w.podAddresses.clear();
  felix.agent.kernelChanged();
  await w.pass(100);
  assert.deepEqual([...w.podAddresses.keys()], AT_HOST);
  const repair = `repaired: address 169.254.0.179 of device ${HOST} had been removed or changed by another`;
  const said = w.reports.at(-1)?.messages ?? [];
  assert(
    said.some((message) => message.endsWith(repair)),
    said.join('; '),
  );
  felix.stop();
  w.put(configuration({}));
  w.start();
  await w.pass(100);
  assert.deepEqual([...w.podAddresses.keys()], []);
});
