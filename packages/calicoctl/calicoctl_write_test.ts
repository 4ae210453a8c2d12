import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryCluster } from './testing/memory_cluster.ts';
import { NODES, POLICY, POOL } from './testing/sample_documents.ts';

const { services, calicoctl } = memoryCluster();

test('apply writes all documents and counts them by kind', async () => {
  assert.equal(
    await calicoctl.succeeds('apply -f -', POOL),
    "Successfully applied 1 'IPPool' resource(s)\n",
  );
  assert.equal(
    await calicoctl.succeeds('apply -f -', NODES),
    "Successfully applied 3 'Node' resource(s)\n",
  );
  assert.equal(
    await calicoctl.succeeds('apply -f -', `${POOL}---\n${POLICY}`),
    'Successfully applied 2 resource(s)\n',
  );
  assert.ok(services.stored.has('NetworkPolicy/default/closed'));
});

test('apply --wait says on how many nodes and after how long', async () => {
  services.progress = [
    { nodesApplied: 1, nodesTotal: 3 },
    { nodesApplied: 3, nodesTotal: 3 },
  ];
  const out = await calicoctl.succeeds('apply --wait -f -', POOL);
  assert.match(
    out,
    /^Successfully applied 1 'IPPool' resource\(s\)\nin force on 3\/3 nodes in \d+ ms\n$/,
  );
  assert.deepEqual(
    services.waited.map(({ kind, revision }) => [kind, revision]),
    [['IPPool', services.revision]],
  );
});

test('apply --wait does not wait for kinds that do not travel to nodes', async () => {
  const reservation = POOL.replace('IPPool', 'IPReservation').replace(/spec:.*/, 'spec: {}');
  const out = await calicoctl.succeeds('apply --wait -f -', reservation);
  assert.equal(out, "Successfully applied 1 'IPReservation' resource(s)\n");
});

test('apply --wait names who is missing when the time is over', async () => {
  services.progress = [{ nodesApplied: 2, nodesTotal: 3, waitingFor: ['k8s-node02 (felix)'] }];
  services.staysBehind = true;
  assert.match(
    await calicoctl.fails('apply --wait --timeout 300ms -f -', POOL),
    /^Cannot confirm within 300 ms: in force on 2\/3 nodes; waiting for k8s-node02 \(felix\)\n/,
  );
});

test('a mistake in one document is reported with its place, and nothing is sent', async () => {
  const bad = POLICY.replace('selector: all()', 'selektor: all()');
  assert.equal(
    await calicoctl.fails('apply -f -', `${POOL}---\n${bad}`),
    `Cannot apply: standard input, document 2, line 9: NetworkPolicy "default/closed": spec.selektor: is not a known field; did you mean "selector"?
Nothing was changed. Correct the document and run the command again.
`,
  );
  assert.equal(services.stored.size, 0);
});

test('all mistakes are reported at once', async () => {
  const bad = POOL.replace('Always}', 'always, blockSize: 99}');
  const twice = `${bad}---\nkind: Node\napiVersion: v1\nmetadata: {name: A}\n`;
  const err = await calicoctl.fails('create -f -', twice);
  assert.match(err, /^Cannot create: \d problems\n {2}standard input, document 1, line 4: IPPool/);
  assert.match(err, /spec\.ipipMode "always": expected "Never", "Always" or "CrossSubnet"/);
  assert.match(err, /document 2, line 7: Node "A": apiVersion "v1"/);
  assert.match(err, /document 2, line 8: Node "A": metadata\.name "A"/);
});

test('documents without kind or name and empty input are refused', async () => {
  assert.match(
    await calicoctl.fails('apply -f -', 'metadata: {name: x}'),
    /document 1: kind is missing/,
  );
  assert.match(await calicoctl.fails('apply -f -', 'kind: IPPool'), /IPPool has no metadata\.name/);
  assert.match(
    await calicoctl.fails('apply -f -', 'kind: Foo\nmetadata: {name: x}'),
    /^standard input, document 1: Cannot find kind "Foo"/,
  );
  assert.match(
    await calicoctl.fails('apply -f -', '---\n'),
    /Cannot find a resource in standard input/,
  );
  assert.equal(
    await calicoctl.succeeds('apply --skip-empty -f -', ''),
    'Successfully applied 0 resource(s)\n',
  );
  assert.match(await calicoctl.fails('apply'), /no file is given\nGive -f FILE/);
});

test('create refuses what exists, unless told to pass over it', async () => {
  await calicoctl.succeeds('create -f -', POOL);
  assert.equal(
    await calicoctl.fails('create -f -', POOL),
    `Failed to create 'IPPool' resource: standard input, document 1: Cannot create IPPool "default-ipv4-ippool": it exists\n`,
  );
  assert.equal(
    await calicoctl.succeeds('create --skip-exists -f -', POOL),
    "Successfully created 0 'IPPool' resource(s)\n",
  );
});

test('a failure in the middle counts what was done', async () => {
  await calicoctl.succeeds('create -f -', POOL);
  const other = POOL.replace('default-ipv4-ippool', 'other').replace('10.244', '10.245');
  assert.equal(
    await calicoctl.fails('create -f -', `${other}---\n${POOL}`),
    `Partial success: created the first 1 out of 2 'IPPool' resources
Hit error: standard input, document 2: Cannot create IPPool "default-ipv4-ippool": it exists
`,
  );
});

test('replace needs the resource and keeps what is immutable', async () => {
  assert.match(await calicoctl.fails('replace -f -', POOL), /Cannot find IPPool/);
  await calicoctl.succeeds('create -f -', POOL);
  assert.equal(
    await calicoctl.succeeds('replace -f -', POOL),
    "Successfully replaced 1 'IPPool' resource(s)\n",
  );
  assert.match(
    await calicoctl.fails('replace -f -', POOL.replace('10.244', '10.9')),
    /cannot be changed/,
  );
});

test('apply says of what is only stored that it has no effect', async () => {
  const document = `apiVersion: projectcalico.org/v3
kind: CalicoNodeStatus
metadata: { name: a }
spec: { node: a, classes: [BGP], updatePeriodSeconds: 10 }
`;
  const { code, out, err } = await calicoctl.run('apply -f -', document);
  assert.deepEqual([code, out], [0, "Successfully applied 1 'CalicoNodeStatus' resource(s)\n"]);
  assert.match(
    err,
    /^Warning: CalicoNodeStatus is stored and has no effect: .*fills its status.*\n$/,
  );
});
