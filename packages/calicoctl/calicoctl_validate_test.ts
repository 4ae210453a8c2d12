import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandLine } from './testing/command_line.ts';
import { NODES, POLICY, POOL } from './testing/sample_documents.ts';

/** validate asks nobody. */
const calicoctl = new CommandLine(() => ({ CALICO_API_ADDRESS: 'unix:/nonexistent/x' }));

test('validate counts what is good, without a cluster', async () => {
  assert.equal(
    await calicoctl.succeeds('validate -f -', NODES),
    "Successfully validated 3 'Node' resource(s)\n",
  );
  assert.equal(
    await calicoctl.succeeds('validate -f -', `${NODES}---\n${POOL}`),
    'Successfully validated 4 resource(s)\n',
  );
});

test('validate tells every problem with its place', async () => {
  const wrong = POLICY.replace('selector: all()', 'order: first, selector: all(');
  const err = await calicoctl.fails('validate -f -', `${POOL}---\n${wrong}`);
  assert.match(err, /^Cannot validate: 2 problems\n/);
  assert.match(
    err,
    /standard input, document 2, line 9: NetworkPolicy "default\/closed": spec\.order "first": /,
  );
  assert.match(err, /spec\.selector "all\(": /);
});

test('validate finds what the cluster would refuse of documents beside each other', async () => {
  const other = POOL.replace('default-ipv4-ippool', 'small').replace(
    '10.244.0.0/16',
    '10.244.8.0/24',
  );
  assert.equal(
    await calicoctl.fails('validate -f -', `${POOL}---\n${other}`),
    `Cannot validate: standard input, document 2: IPPool "small": spec.cidr "10.244.8.0/24": overlaps "10.244.0.0/16" of IPPool "default-ipv4-ippool"
Nothing was changed. Correct the document and run the command again.
`,
  );
  assert.match(
    await calicoctl.fails('validate -f -', `${POLICY}---\n${POLICY}`),
    /document 2: NetworkPolicy "default\/closed": is in standard input, document 1 already/,
  );
  await calicoctl.succeeds(['validate', '-n', 'shop', '-f', '-'], POLICY);
});

test('options of upstream that mean nothing here are passed over, one that chooses a cluster is not', async () => {
  await calicoctl.succeeds('--log-level=debug --allow-version-mismatch validate -f -', POOL);
  assert.match(
    await calicoctl.fails('--context prod validate -f -', POOL),
    /^Cannot use --context "prod": clusters are told apart by .*\nChoose a cluster with --config FILE/,
  );
});
