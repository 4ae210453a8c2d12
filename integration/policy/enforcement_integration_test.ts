// Policy as pods feel it: real connections through a real kernel.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PacketFilter, PolicyInputs } from '../../services/felix/ports.ts';
import { execOk } from '../lab/exec.ts';
import {
  felixConfiguration,
  globalPolicy,
  ipPool,
  networkPolicy,
  nodeResource,
  TestNode,
  tier,
} from './node_fixture.ts';

const node = new TestNode();
let filter: PacketFilter;

before(async () => {
  await node.up([
    {
      name: 'web',
      labels: { role: 'web' },
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    },
    { name: 'client', labels: { role: 'client' } },
    { name: 'other', labels: { role: 'other' } },
    { name: 'blue', labels: { role: 'client' }, namespace: 'blue' },
  ]);
  filter = node.openFilter();
  const web = node.pod('web');
  for (const port of [80, 8080]) assert.equal(await web.listen('tcp', port), 'ok');
  assert.equal(await web.listen('udp', 53), 'ok');
  assert.equal(await node.outside.listen('tcp', 80), 'ok');
  assert.equal(await node.outside.listen('udp', 53), 'ok');
  assert.equal(await node.host.listen('tcp', 80), 'ok');
  assert.equal(await node.host.listen('udp', 4789), 'ok');
});
after(async () => {
  filter?.close();
  await node.down();
});

function apply(parts: Partial<PolicyInputs> = {}): Promise<void> {
  return filter.apply(node.inputs(parts));
}

/** Whether each of these pods reaches the web pod. */
async function reach(port: number, ...names: readonly string[]): Promise<Record<string, string>> {
  const web = node.pod('web');
  const results = names.map(async (name) => [
    name,
    (await node.pod(name).tcp(web, port)).split(' ')[0],
  ]);
  return Object.fromEntries(await Promise.all(results)) as Record<string, string>;
}

const [OK, TIMEOUT] = ['ok', 'timeout'];

test('without policies all pods reach each other, the outside and back', async () => {
  await apply();
  assert.deepEqual(await reach(80, 'client', 'other', 'blue'), { client: OK, other: OK, blue: OK });
  const [web, client] = [node.pod('web'), node.pod('client')];
  assert.equal(await client.udp(web, 53), `ok ${client.address}`);
  assert.equal(await client.ping(web), true);
  assert.equal(await client.tcp(node.outside, 80), `ok ${client.address}`);
  assert.equal(await node.outside.tcp(web, 80), `ok ${node.outside.address}`);
  assert.equal(await client.tcp(web.address6, 80), `ok ${client.address6}`);
  assert.equal(await node.outside.tcp(web.address6, 80), `ok ${node.outside.address6}`);
  assert.equal(await client.ping(web.address6), true);
});

test('a policy allows by label, in its own namespace only, and denies the rest', async () => {
  const rules = {
    selector: "role == 'web'",
    ingress: [{ action: 'Allow', source: { selector: "role == 'client'" } }],
  };
  await apply({ networkPolicies: [networkPolicy('web', rules)] });
  assert.deepEqual(await reach(80, 'client', 'other', 'blue'), {
    client: OK,
    other: TIMEOUT,
    blue: TIMEOUT,
  });
  assert.equal(await node.outside.tcp(node.pod('web'), 80), TIMEOUT);
  assert.equal(await node.pod('other').ping(node.pod('web')), false);
  assert.equal(await node.pod('client').ping(node.pod('web').address6), true);
  assert.equal(await node.pod('other').tcp(node.pod('web').address6, 80), TIMEOUT);
  // The policy decides what comes in, not what goes out.
  assert.equal(await node.pod('web').tcp(node.outside, 80), `ok ${node.pod('web').address}`);

  const everywhere = {
    ...rules,
    ingress: [
      { action: 'Allow', source: { selector: "role == 'client'", namespaceSelector: 'all()' } },
    ],
  };
  await apply({ networkPolicies: [networkPolicy('web', everywhere)] });
  assert.deepEqual(await reach(80, 'client', 'other', 'blue'), {
    client: OK,
    other: TIMEOUT,
    blue: OK,
  });
});

test('deny all, then allow from a label', async () => {
  const denyAll = networkPolicy('deny-all', { types: ['Ingress', 'Egress'] });
  await apply({ networkPolicies: [denyAll] });
  assert.deepEqual(await reach(80, 'client', 'other', 'blue'), {
    client: TIMEOUT,
    other: TIMEOUT,
    blue: TIMEOUT,
  });
  const allow = networkPolicy('allow', {
    selector: "role == 'web'",
    ingress: [{ action: 'Allow', source: { selector: "role == 'client'" } }],
  });
  await apply({ networkPolicies: [denyAll, allow] });
  // The client may not send yet.
  assert.deepEqual(await reach(80, 'client'), { client: TIMEOUT });
  const send = networkPolicy('send', {
    selector: "role == 'client'",
    egress: [{ action: 'Allow' }],
  });
  await apply({ networkPolicies: [denyAll, allow, send] });
  assert.deepEqual(await reach(80, 'client', 'other'), { client: OK, other: TIMEOUT });
});

/** The client passes, then the other one meets this action. */
const firstTier = (action: string): PolicyInputs['globalNetworkPolicies'] => [
  globalPolicy('other', {
    tier: 'first',
    order: 2,
    selector: "role == 'web'",
    ingress: [{ action, source: { selector: "role == 'other'" } }],
  }),
  globalPolicy('client', {
    tier: 'first',
    order: 1,
    selector: "role == 'web'",
    ingress: [{ action: 'Pass', source: { selector: "role == 'client'" } }],
  }),
];

test('tiers and order decide, Pass goes on to the next tier', async () => {
  const first = tier('first', { order: 1 });
  const allow = networkPolicy('allow', { ingress: [{ action: 'Allow' }] });
  await apply({
    tiers: [first],
    globalNetworkPolicies: firstTier('Deny'),
    networkPolicies: [allow],
  });
  assert.deepEqual(await reach(80, 'client', 'other'), { client: OK, other: TIMEOUT });
  await apply({
    tiers: [first],
    globalNetworkPolicies: firstTier('Allow'),
    networkPolicies: [networkPolicy('allow', { ingress: [] })],
  });
  assert.deepEqual(await reach(80, 'client', 'other'), { client: TIMEOUT, other: OK });
});

const tcpTo = (destination: object) =>
  networkPolicy('ports', {
    selector: "role == 'web'",
    ingress: [{ action: 'Allow', protocol: 'TCP', destination }],
  });

test('ports by number, range and name; protocols; ICMP types', async () => {
  const web = node.pod('web');
  const client = node.pod('client');
  const ports = async () =>
    [await client.tcp(web, 80), await client.tcp(web, 8080)].map((text) => text.split(' ')[0]);
  await apply({ networkPolicies: [tcpTo({ ports: ['http'] })] });
  assert.deepEqual(await ports(), [TIMEOUT, OK]);
  assert.equal((await client.tcp(web.address6, 8080)).split(' ')[0], OK);
  await apply({ networkPolicies: [tcpTo({ ports: ['70:90'] })] });
  assert.deepEqual(await ports(), [OK, TIMEOUT]);
  await apply({ networkPolicies: [tcpTo({ notPorts: [80, 443] })] });
  assert.deepEqual(await ports(), [TIMEOUT, OK]);
  assert.equal(await client.udp(web, 53), TIMEOUT);
  await apply({
    networkPolicies: [
      networkPolicy('udp', {
        selector: "role == 'web'",
        ingress: [{ action: 'Allow', protocol: 'UDP' }],
      }),
    ],
  });
  assert.equal((await client.udp(web, 53)).split(' ')[0], OK);
  assert.equal(await client.ping(web), false);
  await apply({
    networkPolicies: [
      networkPolicy('icmp', {
        selector: "role == 'web'",
        ingress: [{ action: 'Allow', protocol: 'ICMP', icmp: { type: 8 } }],
      }),
    ],
  });
  assert.equal(await client.ping(web), true);
  assert.equal(await client.ping(web.address6), false);
});

const egressTo = (destination: object) =>
  globalPolicy('nets', {
    selector: "role == 'client'",
    egress: [{ action: 'Allow', destination }],
  });

test('nets and what is excluded from them', async () => {
  const client = node.pod('client');
  const first = async (to: string) => (await client.tcp(to, 80)).split(' ')[0];
  await apply({
    globalNetworkPolicies: [
      egressTo({ nets: ['192.0.2.8/30', '198.51.100.0/24'], notNets: ['192.0.2.10/32'] }),
    ],
  });
  assert.equal(await first('192.0.2.9'), OK);
  assert.equal(await first('192.0.2.10'), TIMEOUT);
  assert.equal(await first(node.pod('web').address), TIMEOUT);
  assert.equal(await first('2001:db8::9'), TIMEOUT);
  await apply({ globalNetworkPolicies: [egressTo({ nets: ['2001:db8::/64'] })] });
  assert.equal(await first('2001:db8::9'), OK);
  assert.equal(await first('192.0.2.9'), TIMEOUT);
});

test('the host reaches its pods, whatever their policy; pods reach the host when configured', async () => {
  const denyAll = networkPolicy('deny-all', { types: ['Ingress'], selector: "role == 'web'" });
  const [web, client] = [node.pod('web'), node.pod('client')];
  await apply({ networkPolicies: [denyAll] });
  assert.equal((await node.host.tcp(web, 80)).split(' ')[0], OK);
  assert.equal(await node.host.ping(web), true);
  assert.equal(await node.host.ping(web.address6), true);
  assert.equal(await client.tcp(node.host, 80), TIMEOUT);
  assert.equal(await client.ping(node.host), false);
  await apply({
    felixConfiguration: felixConfiguration({ defaultEndpointToHostAction: 'Accept' }),
  });
  assert.equal((await client.tcp(node.host, 80)).split(' ')[0], OK);
  assert.equal(await client.ping(node.host), true);
  const noEgress = networkPolicy('no-egress', { types: ['Egress'], selector: "role == 'client'" });
  await apply({
    networkPolicies: [noEgress],
    felixConfiguration: felixConfiguration({ defaultEndpointToHostAction: 'Accept' }),
  });
  assert.equal(await client.tcp(node.host, 80), TIMEOUT);
});

test('an interface without known policy is closed both ways', async () => {
  const all = node.inputs();
  const known = all.localEndpoints.filter(({ spec }) => spec.interfaceName !== 'caliclient');
  await apply({ localEndpoints: known });
  assert.deepEqual(await reach(80, 'client', 'other'), { client: TIMEOUT, other: OK });
  assert.equal(await node.pod('other').ping(node.pod('client')), false);
  assert.equal(await node.outside.ping(node.pod('client')), false);
  await apply();
  assert.deepEqual(await reach(80, 'client'), { client: OK });
});

test('a pod sends from its own addresses only', async () => {
  await apply();
  const other = node.pod('other');
  await execOk(['ip', '-n', other.namespace, 'addr', 'add', '10.65.0.99/32', 'dev', 'eth0']);
  await execOk([
    'ip',
    '-n',
    node.host.namespace,
    'route',
    'add',
    '10.65.0.99/32',
    'dev',
    'caliother',
  ]);
  assert.equal(await other.tcp(node.pod('web'), 80, '10.65.0.99'), TIMEOUT);
  assert.equal(await other.udp(node.pod('web'), 53, '10.65.0.99'), TIMEOUT);
  assert.equal(await other.tcp(node.pod('web'), 80, other.address), `ok ${other.address}`);
  const spoofing = felixConfiguration({ workloadSourceSpoofing: 'Any' });
  const allowed = node.inputs().localEndpoints.map((endpoint) =>
    endpoint.spec.interfaceName === 'caliother'
      ? {
          ...endpoint,
          spec: { ...endpoint.spec, allowSpoofedSourcePrefixes: ['10.65.0.96/29', '10.65.0.99'] },
        }
      : endpoint,
  );
  await apply({ localEndpoints: allowed, felixConfiguration: spoofing });
  assert.equal(await other.tcp(node.pod('web'), 80, '10.65.0.99'), 'ok 10.65.0.99');
});

test('what leaves the pools takes the address of the node, what stays keeps its own', async () => {
  const pool = ipPool('pods', { cidr: '10.65.0.0/16', natOutgoing: true });
  const client = node.pod('client');
  await apply({ ipPools: [pool] });
  assert.equal(await client.tcp(node.outside, 80), 'ok 192.0.2.1');
  assert.equal(await client.udp(node.outside, 53), 'ok 192.0.2.1');
  assert.equal(await client.tcp(node.pod('web'), 80), `ok ${client.address}`);
  await apply({ ipPools: [pool, ipPool('outside', { cidr: '192.0.2.0/24' })] });
  assert.equal(await client.tcp(node.outside, 80), `ok ${client.address}`);
});

test('tunnel packets are taken from nodes only, and never from pods', async () => {
  const pool = ipPool('pods', { cidr: '10.65.0.0/16', vxlanMode: 'Always' });
  const nodes = [nodeResource('outside', '192.0.2.9/24')];
  const accept = felixConfiguration({ defaultEndpointToHostAction: 'Accept' });
  await apply({ ipPools: [pool], nodes, felixConfiguration: accept });
  assert.equal(await node.outside.udp(node.host, 4789, '192.0.2.9'), 'ok 192.0.2.9');
  assert.equal(await node.outside.udp(node.host, 4789, '192.0.2.10'), TIMEOUT);
  assert.equal(await node.pod('client').udp(node.host, 4789), TIMEOUT);
  await apply({ ipPools: [pool], nodes: [], felixConfiguration: accept });
  assert.equal(await node.outside.udp(node.host, 4789, '192.0.2.9'), TIMEOUT);
});
