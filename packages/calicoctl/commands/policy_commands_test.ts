import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PreviewChangeRequest } from '@calico/proto/status/v1/policy';
import { memoryCluster } from '../testing/memory_cluster.ts';

const { services, calicoctl } = memoryCluster();

test('why asks what was asked, and prints text or JSON', async () => {
  services.policy.why = {
    from: { name: 'default/a', address: '10.0.0.1' },
    to: { name: '192.0.2.1', address: '192.0.2.1' },
    flow: { protocol: 17, destinationPort: 53 },
    allowed: true,
    nodes: [{ node: 'n1', allowed: true, because: 'established' }],
  };
  const { code, out } = await calicoctl.run('why default/a 192.0.2.1 --protocol udp --port 53');
  assert.equal(code, 0);
  assert.equal(
    out,
    'default/a (10.0.0.1) -> 192.0.2.1, UDP port 53: allowed\n\nOn n1: allowed: established\n',
  );
  const { from, to, protocol, destinationPort } = services.policy.asked ?? {};
  assert.deepEqual([from, to, protocol, destinationPort], ['default/a', '192.0.2.1', 17, 53]);
  const json = JSON.parse((await calicoctl.run('why a b -o json')).out) as { allowed: boolean };
  assert.equal(json.allowed, true);
});

test('why says which node did not answer, and refuses what it cannot ask', async () => {
  services.policy.why = { problems: [{ node: 'n2', reason: 'felix does not answer' }] };
  const { code, err } = await calicoctl.run('why a b');
  assert.equal(code, 1);
  assert.match(err, /n2: felix does not answer/);
  for (const wrong of ['--protocol x', '--port 70000', '--direction up', '-o xml']) {
    assert.equal((await calicoctl.run(`why a b ${wrong}`)).code, 1);
  }
});

test('policy stats adds up nodes and takes one policy', async () => {
  const rule = { kind: 'GlobalNetworkPolicy', direction: 'ingress', rule: 1, action: 'Deny' };
  services.policy.stats = {
    nodes: [
      { node: 'n1', rules: [{ ...rule, name: 'closed', packets: 2n }] },
      {
        node: 'n2',
        rules: [
          { ...rule, name: 'closed', packets: 3n },
          { ...rule, name: 'other' },
        ],
      },
    ],
  };
  const { out } = await calicoctl.run('policy stats closed -o json');
  const [only, ...more] = JSON.parse(out) as { name: string; packets: number }[];
  assert.deepEqual([only?.name, only?.packets, more.length], ['closed', 5, 0]);
  assert.match((await calicoctl.run('policy stats')).out, /other/);
});

const POLICY = `apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: closed}
spec: {selector: all()}
`;

test('apply --dry-run prints what would change and writes nothing', async () => {
  services.policy.preview = {
    nodes: [
      { node: 'n1', changes: [{ from: 'a', to: 'b', what: 'everything', allowedBefore: true }] },
    ],
  };
  const { out, code } = await calicoctl.run('apply --dry-run -f -', POLICY);
  assert.equal(code, 0);
  assert.match(out, /^1 resource\(s\) would be applied\n1 change of what is allowed:/);
  assert.equal(services.policy.previewed?.put[0]?.name, 'closed');
  assert.equal(services.stored.size, 0);
  const bad = await calicoctl.run('apply --dry-run -f -', POLICY.replace('all()', 'all('));
  assert.equal(bad.code, 1);
  const pool =
    'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p}\nspec: {cidr: 10.0.0.0/16}\n';
  assert.equal(
    (await calicoctl.run('apply --dry-run -f -', pool)).out,
    '1 resource(s) would be applied\n',
  );
});

const STAGED = `apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata: {name: closed}
spec: {selector: all()}
---
apiVersion: projectcalico.org/v3
kind: StagedNetworkPolicy
metadata: {name: old, namespace: shop}
spec: {stagedAction: Delete}
`;

test('policy staged asks what would change if staged policies were enforced', async () => {
  assert.equal((await calicoctl.run('policy staged')).out, 'No policy is staged.\n');
  const asked = (): PreviewChangeRequest | undefined => services.policy.previewed;
  assert.equal(asked(), undefined);
  assert.equal((await calicoctl.run('apply -f -', STAGED)).code, 0);
  services.policy.preview = {
    nodes: [
      { node: 'n1', changes: [{ from: 'a', to: 'b', what: 'everything', allowedBefore: true }] },
    ],
  };
  const { out, code } = await calicoctl.run('policy staged');
  assert.equal(code, 0);
  assert.match(out, /^pending: StagedNetworkPolicy shop\/old \(Delete\)\npending: StagedGlobal/);
  assert.match(out, /1 change of what is allowed:/);
  const [put, removed] = [asked()?.put, asked()?.removed];
  assert.deepEqual([put?.[0]?.kind, put?.[0]?.name], ['GlobalNetworkPolicy', 'closed']);
  assert.deepEqual([removed?.[0]?.namespace, removed?.[0]?.name], ['shop', 'old']);
  await calicoctl.run('policy staged closed');
  assert.equal(asked()?.removed.length, 0);
  assert.match((await calicoctl.run('policy staged gone')).err, /there is none of that name/);
});
