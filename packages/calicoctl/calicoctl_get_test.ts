import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryCluster } from './testing/memory_cluster.ts';
import { NODES, POLICY, POOL } from './testing/sample_documents.ts';

const { calicoctl } = memoryCluster();

test('get lists, sorted, over several pages', async () => {
  await calicoctl.succeeds('apply -f -', NODES);
  assert.equal(
    await calicoctl.succeeds('get nodes'),
    'NAME         \nk8s-master   \nk8s-node01   \nk8s-node02   \n\n',
  );
  assert.equal(
    await calicoctl.succeeds('get nodes -o wide'),
    `NAME         ASN       IPV4                IPV6   
k8s-master   (64512)   192.168.80.100/24          
k8s-node01   (64512)   192.168.80.101/24          
k8s-node02   (64512)   192.168.80.102/24          

`,
  );
  const list = JSON.parse(await calicoctl.succeeds('get node -o json')) as {
    items: unknown[];
    kind: string;
  };
  assert.deepEqual([list.kind, list.items.length], ['NodeList', 3]);
});

test('get shows the default AS number of the cluster', async () => {
  const configuration =
    'apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: default}\nspec: {asNumber: 65000}\n';
  await calicoctl.succeeds('apply -f -', `${NODES}---\n${configuration}`);
  assert.match(await calicoctl.succeeds('get nodes -o wide'), /k8s-master {3}\(65000\)/);
});

test('get of one namespace, of all, and by name', async () => {
  await calicoctl.succeeds('apply -f -', POLICY);
  await calicoctl.succeeds('apply -n other -f -', POLICY);
  assert.equal(await calicoctl.succeeds('get np'), 'NAME     TIER      \nclosed   default   \n\n');
  assert.equal(
    await calicoctl.succeeds('get np -A'),
    `NAMESPACE   NAME     TIER      
default     closed   default   
other       closed   default   

`,
  );
  assert.match(
    await calicoctl.succeeds('get np closed -n other -o yaml'),
    /^ {2}namespace: other$/m,
  );
  assert.match(
    await calicoctl.fails('get np closed -n third'),
    /Cannot find NetworkPolicy "closed"/,
  );
  assert.equal(await calicoctl.succeeds('get np -o name'), 'networkpolicy/closed\n');
});

test('what get prints can be applied', async () => {
  await calicoctl.succeeds('apply -f -', NODES);
  for (const format of ['yaml', 'json']) {
    const text = await calicoctl.succeeds(`get nodes --export -o ${format}`);
    assert.doesNotMatch(text.replace(/"?resourceVersion"?: "\d+"/, ''), /resourceVersion/);
    assert.equal(
      await calicoctl.succeeds('apply -f -', text),
      "Successfully applied 3 'Node' resource(s)\n",
    );
  }
  const one = await calicoctl.succeeds('get node k8s-master -o yaml');
  assert.equal(
    await calicoctl.succeeds('replace -f -', one),
    "Successfully replaced 1 'Node' resource(s)\n",
  );
});

test('get -f shows the resources of a file', async () => {
  await calicoctl.succeeds('apply -f -', `${NODES}---\n${POOL}`);
  assert.match(await calicoctl.succeeds('get -f -', POOL), /^NAME .*SELECTOR/);
  assert.match(await calicoctl.fails('get'), /expected either a kind or -f/);
  assert.match(
    await calicoctl.fails('get foo'),
    /Cannot find kind "foo": expected one of bgpconfiguration/,
  );
  assert.match(
    await calicoctl.fails('get nodes -o xml'),
    /Cannot print as "xml": expected ps, wide/,
  );
});

test('columns that a kind does not have and templates are refused with what there is', async () => {
  await calicoctl.succeeds('apply -f -', POOL);
  assert.equal(
    await calicoctl.succeeds('get ippool -o custom-columns=name,CIDR'),
    'NAME                  CIDR            \ndefault-ipv4-ippool   10.244.0.0/16   \n\n',
  );
  assert.match(
    await calicoctl.fails('get ippool -o custom-columns=NAME,ASN'),
    /^Cannot print column "ASN" of IPPool: expected one of NAME, CIDR, NAT, /,
  );
  assert.match(
    await calicoctl.fails('get ippool -o go-template={{range}}'),
    /^Cannot print as "go-template=\{\{range\}\}": Go's templates .* expected ps, .*\nFor single fields/,
  );
});
