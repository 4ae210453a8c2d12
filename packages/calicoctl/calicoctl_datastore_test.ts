import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { memoryCluster } from './testing/memory_cluster.ts';
import { NODES, POLICY, POOL } from './testing/sample_documents.ts';

const { services, calicoctl } = memoryCluster();

const CLUSTER = `apiVersion: projectcalico.org/v3
kind: ClusterInformation
metadata: {name: default}
spec: {clusterGUID: g, datastoreReady: true}
`;

beforeEach(async () => {
  await calicoctl.succeeds('apply -f -', CLUSTER);
});

test('lock and unlock change what felix looks at, and can be waited for', async () => {
  assert.equal(await calicoctl.succeeds('datastore migrate lock'), 'Datastore locked.\n');
  assert.match(await calicoctl.succeeds('get clusterinfo'), /false/);
  services.progress = [{ nodesApplied: 3, nodesTotal: 3 }];
  assert.match(
    await calicoctl.succeeds('datastore migrate unlock --wait'),
    /^Datastore unlocked\.\nin force on 3\/3 nodes in \d+ ms\n$/,
  );
  assert.match(await calicoctl.succeeds('get clusterinfo'), /true/);
});

test('export and import ask for the lock', async () => {
  assert.match(
    await calicoctl.fails('datastore migrate export'),
    /^Cannot export the datastore: it is not locked\nRun "calicoctl datastore migrate lock --wait"/,
  );
  assert.match(
    await calicoctl.fails('datastore migrate import -f -', POOL),
    /^Cannot import into the datastore: it is not locked\n/,
  );
});

test('what export prints can be imported elsewhere, pools before what needs them', async () => {
  await calicoctl.succeeds('apply -f -', `${POLICY}---\n${NODES}---\n${POOL}`);
  await calicoctl.succeeds('datastore migrate lock');
  const text = await calicoctl.succeeds('datastore migrate export');
  assert.deepEqual(
    [...text.matchAll(/^kind: (.*)$/gm)].map(([, kind]) => kind),
    ['IPPool', 'Node', 'Node', 'Node', 'NetworkPolicy'],
  );
  assert.doesNotMatch(text, /resourceVersion|uid:|creationTimestamp/);
  services.clear();
  await calicoctl.succeeds('apply -f -', CLUSTER.replace('true', 'false'));
  assert.equal(
    await calicoctl.succeeds('datastore migrate import -f -', text),
    'Successfully imported 5 resource(s), 0 block(s) with 0 address(es)\n',
  );
  assert.match(await calicoctl.succeeds('get np -A'), /closed/);
});

test('import replaces what is there already', async () => {
  await calicoctl.succeeds('apply -f -', POOL.replace('Always', 'Never'));
  await calicoctl.succeeds('datastore migrate lock');
  await calicoctl.succeeds('datastore migrate import -f -', POOL);
  assert.match(await calicoctl.succeeds('get ippools -o wide'), /Always/);
});
