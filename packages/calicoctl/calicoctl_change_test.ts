import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryCluster } from './testing/memory_cluster.ts';
import { NODES, POOL } from './testing/sample_documents.ts';

const { services, calicoctl } = memoryCluster();

test('delete by name and by file', async () => {
  await calicoctl.succeeds('apply -f -', `${NODES}---\n${POOL}`);
  assert.equal(
    await calicoctl.succeeds('delete node k8s-node01 k8s-node02'),
    "Successfully deleted 2 'Node' resource(s)\n",
  );
  assert.equal(
    await calicoctl.succeeds('delete -f -', POOL),
    "Successfully deleted 1 'IPPool' resource(s)\n",
  );
  assert.match(await calicoctl.fails('delete -f -', POOL), /^Failed to delete 'IPPool' resource: /);
});

test('delete --skip-not-exists counts what it has deleted', async () => {
  assert.equal(
    await calicoctl.succeeds('delete --skip-not-exists -f -', POOL),
    "Successfully deleted 0 'IPPool' resource(s)\n",
  );
  await calicoctl.succeeds('apply -f -', POOL);
  assert.equal(
    await calicoctl.succeeds('delete pool nowhere default-ipv4-ippool -s'),
    "Successfully deleted 1 'IPPool' resource(s)\n",
  );
});

test('delete node has ipam delete it with what it holds', async () => {
  await calicoctl.succeeds('apply -f -', NODES);
  await calicoctl.succeeds('delete node k8s-node01');
  assert.deepEqual(services.releasedNodes, ['k8s-node01']);
  assert.match(await calicoctl.fails('delete node k8s-node01'), /Cannot find Node "k8s-node01"/);
});

test('patch merges', async () => {
  await calicoctl.succeeds('apply -f -', POOL);
  assert.equal(
    await calicoctl.succeeds('patch ippool default-ipv4-ippool -p {"spec":{"natOutgoing":true}}'),
    "Successfully patched 1 'IPPool' resource\n",
  );
  assert.match(await calicoctl.succeeds('get pool -o wide'), /10\.244\.0\.0\/16 {3}true/);
  assert.match(
    await calicoctl.fails('patch pool default-ipv4-ippool -p text'),
    /expected an object/,
  );
  assert.match(
    await calicoctl.fails('patch pool default-ipv4-ippool -t x -p {}'),
    /expected strategic/,
  );
});

test('label sets, changes and removes', async () => {
  await calicoctl.succeeds('apply -f -', NODES);
  assert.equal(
    await calicoctl.succeeds('label node k8s-master rack=a'),
    'Successfully set label rack on Node k8s-master\n',
  );
  assert.match(
    await calicoctl.fails('label node k8s-master rack=b'),
    /it has the value "a"\nUse --overwrite/,
  );
  assert.equal(
    await calicoctl.succeeds('label node k8s-master rack=b --overwrite'),
    'Successfully updated label rack on Node k8s-master\n',
  );
  assert.equal(
    await calicoctl.succeeds('label node k8s-master rack --remove'),
    'Successfully removed label rack from Node k8s-master\n',
  );
  assert.match(await calicoctl.fails('label node k8s-master rack --remove'), /it does not have it/);
  assert.match(await calicoctl.fails('label node k8s-master rack'), /expected name=value/);
});
