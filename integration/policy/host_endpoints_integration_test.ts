// Host endpoints in the kernel: what reaches the host itself, what it sends, and what it forwards. Costs 15 s.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type HostEndpoint, parseResource } from '@calico/model';
import { openNetlinkIn } from '@calico/netlink';
import { NetlinkKernel } from '../../services/felix/adapters/kernel.ts';
import type { PacketFilter, PolicyInputs } from '../../services/felix/ports.ts';
import {
  felixConfiguration,
  globalPolicy,
  networkPolicy,
  type Place,
  TestNode,
} from './node_fixture.ts';

const node = new TestNode();
let filter: PacketFilter;
const [OK, TIMEOUT] = ['ok', 'timeout'];

before(async () => {
  await node.up([
    { name: 'web', labels: { role: 'web' } },
    { name: 'client', labels: { role: 'client' } },
  ]);
  filter = node.openFilter();
  for (const place of [node.host, node.pod('web'), node.outside]) {
    for (const port of [22, 80, 8080]) assert.equal(await place.listen('tcp', port), 'ok');
    assert.equal(await place.listen('udp', 5300), 'ok');
  }
});
after(async () => {
  filter?.close();
  await node.down();
});

function hostEndpoint(spec: object, labels: object = { host: 'yes' }): HostEndpoint {
  return parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'HostEndpoint',
    metadata: { name: 'h', labels },
    spec: { node: 'node', ...spec },
  }) as HostEndpoint;
}

const ETH0 = hostEndpoint({ interfaceName: 'eth0' });
const HOST = 'has(host)';

function apply(
  endpoint: HostEndpoint | undefined,
  parts: Partial<PolicyInputs> = {},
): Promise<void> {
  return filter.apply(
    node.inputs({ hostEndpoints: endpoint === undefined ? [] : [endpoint], ...parts }),
  );
}

/** Whether each of these ports answers. */
async function tcp(
  from: Place,
  to: Place | string,
  ...ports: readonly number[]
): Promise<string[]> {
  const results = ports.map(async (port) => (await from.tcp(to, port)).split(' ')[0] ?? '');
  return Promise.all(results);
}

test('a host endpoint without policy closes the host but for failsafe ports; its pods are not touched', async () => {
  const { outside, host } = node;
  const [web, client] = [node.pod('web'), node.pod('client')];
  await apply(ETH0);
  assert.deepEqual(await tcp(outside, host, 22, 80), [OK, TIMEOUT]);
  assert.deepEqual(await tcp(outside, host.address6, 22, 80), [OK, TIMEOUT]);
  assert.deepEqual(await tcp(host, outside, 80), [TIMEOUT]);
  assert.equal(await outside.ping(host), false);
  // What it forwards, and its own pods.
  assert.deepEqual(await tcp(outside, web, 80), [OK]);
  assert.deepEqual(await tcp(client, outside, 80), [OK]);
  assert.deepEqual(await tcp(host, web, 80), [OK]);
  // Neighbours are found again after they were forgotten: IPv6 lives.
  await node.exec('ip', '-6', 'neigh', 'flush', 'dev', 'eth0');
  assert.deepEqual(await tcp(outside, host.address6, 22), [OK]);
  const open = hostEndpoint({ interfaceName: 'eth0', profiles: ['projectcalico-default-allow'] });
  await apply(open);
  assert.deepEqual(await tcp(outside, host, 22, 80), [OK, OK]);
  assert.deepEqual(await tcp(host, outside, 80), [OK]);
});

test('normal policy is about the host itself, in both directions, in tiers and order', async () => {
  const { outside, host } = node;
  const policies = [
    globalPolicy('in', {
      selector: HOST,
      ingress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [80] } }],
    }),
    globalPolicy('out', {
      selector: HOST,
      egress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [8080] } }],
    }),
  ];
  for (const endpoint of [ETH0, hostEndpoint({ interfaceName: '*' })]) {
    await apply(endpoint, { globalNetworkPolicies: policies });
    assert.deepEqual(await tcp(outside, host, 22, 80, 8080), [OK, OK, TIMEOUT]);
    assert.deepEqual(await tcp(host, outside, 80, 8080), [TIMEOUT, OK]);
    assert.deepEqual(await tcp(outside, node.pod('web'), 80, 8080), [OK, OK]);
  }
});

test('a host endpoint is found by the address that it expects, on whatever interface', async () => {
  const netlink = openNetlinkIn(node.netns);
  const hostInterfaces = new NetlinkKernel(netlink).hostInterfaces();
  netlink.close();
  assert.ok(hostInterfaces.find(({ name }) => name === 'eth0')?.addresses.includes('192.0.2.1'));
  assert.ok(hostInterfaces.every(({ name }) => !name.startsWith('cali')));
  await apply(hostEndpoint({ expectedIPs: ['192.0.2.1'] }), { hostInterfaces });
  assert.deepEqual(await tcp(node.outside, node.host, 22, 80), [OK, TIMEOUT]);
  await apply(hostEndpoint({ expectedIPs: ['192.0.2.77'] }), { hostInterfaces });
  assert.deepEqual(await tcp(node.outside, node.host, 22, 80), [OK, OK]);
});

test('failsafe ports are configurable; none leaves the host to its policy', async () => {
  const none = felixConfiguration({ failsafeInboundHostPorts: [], failsafeOutboundHostPorts: [] });
  await apply(ETH0, { felixConfiguration: none });
  assert.deepEqual(await tcp(node.outside, node.host, 22), [TIMEOUT]);
  const some = felixConfiguration({
    failsafeInboundHostPorts: [{ protocol: 'tcp', port: 8080, net: '192.0.2.8/30' }],
  });
  await apply(ETH0, { felixConfiguration: some });
  assert.deepEqual(await tcp(node.outside, node.host, 22, 8080), [TIMEOUT, OK]);
});

test('policy that applies on forward decides what pods exchange with the outside, before their own policy', async () => {
  const { outside } = node;
  const [web, client] = [node.pod('web'), node.pod('client')];
  const forward = globalPolicy('forward', {
    selector: HOST,
    applyOnForward: true,
    ingress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [80] } }],
    egress: [{ action: 'Allow', protocol: 'TCP', destination: { ports: [8080] } }],
  });
  await apply(ETH0, { globalNetworkPolicies: [forward] });
  assert.deepEqual(await tcp(outside, web, 80, 8080, 22), [OK, TIMEOUT, TIMEOUT]);
  assert.deepEqual(await tcp(client, outside, 80, 8080), [TIMEOUT, OK]);
  assert.deepEqual(await tcp(client, web, 80, 8080), [OK, OK]);
  // It is about the host itself as well.
  assert.deepEqual(await tcp(outside, node.host, 80, 8080), [OK, TIMEOUT]);
  const denied = networkPolicy('web', { selector: "role == 'web'", ingress: [] });
  await apply(ETH0, { globalNetworkPolicies: [forward], networkPolicies: [denied] });
  assert.deepEqual(await tcp(outside, web, 80), [TIMEOUT]);
});

const untracked = (egress: readonly object[]) =>
  globalPolicy('untracked', {
    selector: HOST,
    doNotTrack: true,
    applyOnForward: true,
    ingress: [
      { action: 'Allow', protocol: 'UDP', destination: { ports: [5300] } },
      { action: 'Deny', protocol: 'TCP', destination: { ports: [8080] } },
    ],
    egress,
  });

test('doNotTrack policy allows without tracking, and both directions have to be allowed', async () => {
  const { outside, host } = node;
  const open = hostEndpoint({ interfaceName: 'eth0', profiles: ['projectcalico-default-allow'] });
  const answers = { action: 'Allow', protocol: 'UDP', source: { ports: [5300] } };
  await apply(ETH0, { globalNetworkPolicies: [untracked([answers])] });
  assert.equal((await outside.udp(host, 5300)).split(' ')[0], OK);
  const tracked = await node.exec('conntrack', '-L', '-p', 'udp');
  assert.doesNotMatch(tracked, /dport=5300/);
  await apply(ETH0, { globalNetworkPolicies: [untracked([])] });
  assert.equal(await outside.udp(host, 5300), TIMEOUT);
  // It denies before anything else could allow.
  await apply(open, { globalNetworkPolicies: [untracked([answers])] });
  assert.deepEqual(await tcp(outside, host, 80, 8080), [OK, TIMEOUT]);
});

test('preDNAT policy sees where a connection was sent to, before it is translated', async () => {
  const { outside, host } = node;
  const web = node.pod('web');
  await node.nft('add table ip other');
  await node.nft('add chain ip other translate { type nat hook prerouting priority -100 ; }');
  await node.nft(`add rule ip other translate tcp dport 30080 dnat to ${web.address}:80`);
  await node.nft(`add rule ip other translate tcp dport 30081 dnat to ${web.address}:80`);
  const policies = [
    globalPolicy('early', {
      selector: HOST,
      preDNAT: true,
      applyOnForward: true,
      ingress: [
        { action: 'Deny', protocol: 'TCP', destination: { ports: [30081] } },
        { action: 'Allow', protocol: 'TCP', destination: { ports: [8080] } },
      ],
    }),
  ];
  await apply(ETH0, { globalNetworkPolicies: policies });
  assert.deepEqual(await tcp(outside, host, 30080, 30081), [OK, TIMEOUT]);
  assert.deepEqual(await tcp(outside, web, 80), [OK]);
  // What it allows needs no normal policy; what it does not mention does.
  assert.deepEqual(await tcp(outside, host, 8080, 80), [OK, TIMEOUT]);
  await node.nft('delete table ip other');
});

const sendingTo = (net: string) =>
  globalPolicy('out', {
    selector: HOST,
    egress: [{ action: 'Allow', protocol: 'TCP', destination: { nets: [net] } }],
  });

test('what the host sends to a translated destination is judged by where it goes', async () => {
  const { outside, host } = node;
  await node.nft('add table ip other');
  await node.nft('add chain ip other translate { type nat hook output priority -100 ; }');
  await node.nft(`add rule ip other translate ip daddr 198.51.100.1 dnat to ${outside.address}`);
  await node.exec('ip', 'route', 'add', '198.51.100.0/24', 'via', '192.0.2.9');
  await apply(ETH0, { globalNetworkPolicies: [sendingTo('192.0.2.0/24')] });
  assert.deepEqual(await tcp(host, '198.51.100.1', 80), [OK]);
  await apply(ETH0, { globalNetworkPolicies: [sendingTo('198.51.100.0/24')] });
  assert.deepEqual(await tcp(host, '198.51.100.1', 80), [TIMEOUT]);
  await node.nft('delete table ip other');
});

test('"nftablesFilterDenyAction: Reject" answers instead of keeping silent', async () => {
  const reject = felixConfiguration({ nftablesFilterDenyAction: 'Reject' });
  const closed = networkPolicy('web', { selector: "role == 'web'", ingress: [] });
  await apply(ETH0, { felixConfiguration: reject, networkPolicies: [closed] });
  assert.deepEqual(await tcp(node.pod('client'), node.pod('web'), 80), ['refused']);
  assert.deepEqual(await tcp(node.outside, node.host, 80), ['refused']);
});

test('the kernel lists what was written, with every part of host endpoints in it', async () => {
  const policies = ['untracked', 'early', 'forward'].map((name) =>
    globalPolicy(name, {
      selector: HOST,
      applyOnForward: true,
      ...(name === 'untracked' ? { doNotTrack: true } : {}),
      ...(name === 'early' ? { preDNAT: true } : {}),
      ingress: [{ action: 'Allow' }, { action: 'Pass' }],
      ...(name === 'early' ? {} : { egress: [{ action: 'Deny' }] }),
    }),
  );
  const inputs = { globalNetworkPolicies: policies };
  await apply(hostEndpoint({ interfaceName: '*' }), inputs);
  // Without what counters say: the kernel itself sends packets now and then.
  const written = await node.nft('-s', '-a', 'list', 'table', 'inet', 'calico');
  // As after a restart: handles stay when nothing is written anew.
  const second = node.openFilter();
  await second.apply(
    node.inputs({ hostEndpoints: [hostEndpoint({ interfaceName: '*' })], ...inputs }),
  );
  second.close();
  assert.equal(await node.nft('-s', '-a', 'list', 'table', 'inet', 'calico'), written);
});
