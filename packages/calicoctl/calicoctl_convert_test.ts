import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryCluster } from './testing/memory_cluster.ts';

const { services, calicoctl } = memoryCluster();

const WEB = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{ports: [{port: 80}]}]
`;

test('convert prints documents of Kubernetes as resources, without a cluster', async () => {
  const { code, out, err } = await calicoctl.run(
    'convert -f -',
    `${WEB}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n`,
  );
  assert.deepEqual([code, err], [0, '']);
  assert.match(
    out,
    /^kind: NetworkPolicy\nmetadata:\n {2}name: knp\.default\.web\n {2}namespace: shop$/mu,
  );
  assert.match(out, /^---$/mu);
  assert.match(out, /^ {2}name: kns\.shop$/mu);
  const again = await calicoctl.run('convert -f - -o json', out);
  assert.equal(JSON.parse(again.out).length, 2);
});

test('apply and delete take documents of Kubernetes', async () => {
  const applied = await calicoctl.run('apply -f -', WEB);
  assert.deepEqual([applied.code, applied.err], [0, '']);
  const shown = await calicoctl.run('get networkpolicy knp.default.web -n shop -o json', '');
  const { spec } = JSON.parse(shown.out);
  assert.deepEqual(spec.ingress, [
    { action: 'Allow', protocol: 'TCP', source: {}, destination: { ports: [80] } },
  ]);
  assert.equal((await calicoctl.run('delete -f -', WEB)).code, 0);
  assert.equal(services.stored.size, 0);
});

test('what cannot be converted is refused by document, field and value, and changes nothing', async () => {
  const { code, err } = await calicoctl.run(
    'apply -f -',
    `${WEB}---\n${WEB.replace('port: 80', 'port: 0')}`,
  );
  assert.equal(code, 1);
  assert.equal(
    err,
    'Cannot convert standard input, document 2: NetworkPolicy "shop/web": spec.ingress[0].ports[0].port 0: expected a number from 1 to 65535 or the name of a port\n',
  );
  assert.equal(services.stored.size, 0);
});

const MIRROR = {
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'mail-1', namespace: 'shop' },
      addressType: 'FQDN',
      endpoints: [{ addresses: ['mail.example'] }],
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { clusterIP: '10.96.0.7' },
    },
  ],
};

test('of a list of Kubernetes all is taken but what nothing comes of, which is named', async () => {
  const { code, out, err } = await calicoctl.run('apply -f -', JSON.stringify(MIRROR));
  assert.equal(
    err,
    'Warning: standard input, document 1, item 1: EndpointSlice "shop/mail-1" is passed over: its endpoints are host names (addressType "FQDN"), not addresses\n',
  );
  assert.deepEqual([code, out], [0, "Successfully applied 1 'KubernetesService' resource(s)\n"]);
  assert.equal((await calicoctl.run('delete -f -', JSON.stringify(MIRROR))).code, 0);
  assert.equal(services.stored.size, 0);
});

test('an item of a list that is refused is named by its place and its name', async () => {
  const [, web] = MIRROR.items;
  const wrong = { ...web, spec: { clusterIP: '10.96.0' } };
  const { code, err } = await calicoctl.run(
    'apply -f -',
    JSON.stringify({ ...MIRROR, items: [web, wrong] }),
  );
  assert.equal(code, 1);
  assert.match(
    err,
    /^Cannot convert standard input, document 1, item 2: KubernetesService "shop\/web": spec\.clusterIP "10\.96\.0": /u,
  );
  assert.equal(services.stored.size, 0);
});
