import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { parseResource, vxlanTunnelMac } from '@calico/model';
import { HOST, node, POD, pool, world } from './sample_world.ts';

const poolV6 = (vxlanMode: string) => pool({ cidr: 'fd00:10:244::/56', vxlanMode }, 'six');

test('a restart changes nothing in the kernel', async () => {
  const w = world({ vxlanMode: 'Always' });
  w.put(node('n2', '192.168.80.102/24', { ipv4VXLANTunnelAddr: '10.244.9.0' }));
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  felix.viewChanged(['Node']);
  await w.pass(1_000);
  assert.equal(w.tunnels.get('vxlan.calico')?.addresses.length, 1);
  w.kernelLog.length = 0;
  w.start();
  await w.pass(1_000);
  assert.deepEqual(w.kernelLog, []);
  assert.equal(w.devices.size, 1);
});

test('VXLAN of both IP versions: addresses are had, published and given back, the devices go', async () => {
  const w = world({ vxlanMode: 'Always' });
  const bgp = { ipv4Address: '192.168.80.101/24', ipv6Address: 'fd00:80::101/64' };
  w.put(node('n1', bgp.ipv4Address, { bgp }));
  w.put(poolV6('Always'));
  const felix = w.start();
  await w.pass(1_000);
  felix.viewChanged(['Node']);
  await w.pass(1_000);
  const own = () => w.list('Node').find(({ metadata }) => metadata.name === 'n1')?.spec;
  const published = own();
  assert.deepEqual(
    [published?.vxlanTunnelMACAddr, published?.vxlanTunnelMACAddrV6],
    [vxlanTunnelMac('n1', 4), vxlanTunnelMac('n1', 6)],
  );
  for (const [name, address] of [
    ['vxlan.calico', published?.ipv4VXLANTunnelAddr],
    ['vxlan-v6.calico', published?.ipv6VXLANTunnelAddr],
  ] as const) {
    assert.deepEqual(w.tunnels.get(name)?.addresses, [parseAddress(address ?? '')]);
  }
  assert(w.assigned.has('vxlan-v6-tunnel-addr-n1'));
  w.put(poolV6('Never'));
  felix.viewChanged(['IPPool']);
  await w.pass(1_000);
  assert.deepEqual([...w.tunnels.keys()], ['vxlan.calico']);
  assert(!w.assigned.has('vxlan-v6-tunnel-addr-n1'));
  const { ipv6VXLANTunnelAddr: _, vxlanTunnelMACAddrV6: __, ...rest } = published ?? {};
  assert.deepEqual(own(), rest);
});

test('a tunnel that gets no address is said and does not hold up the others', async () => {
  const w = world({ ipipMode: 'Always' });
  const bgp = { ipv4Address: '192.168.80.101/24', ipv6Address: 'fd00:80::101/64' };
  w.put(node('n1', bgp.ipv4Address, { bgp }));
  w.put(poolV6('Always'));
  w.exhaustedTunnel = 'vxlan-v6';
  w.start();
  await w.pass(1_000);
  const [own] = w.list('Node');
  assert.notEqual(own?.spec.bgp?.ipv4IPIPTunnelAddr, undefined);
  assert.deepEqual(w.reports.at(-1)?.messages, [
    'cannot settle the address of tunnel "vxlan-v6": no address left',
  ]);
  w.exhaustedTunnel = undefined;
  await w.pass(5_000);
  assert.deepEqual(w.reports.at(-1)?.messages, []);
  assert.notEqual(w.list('Node')[0]?.spec.ipv6VXLANTunnelAddr, undefined);
});

test('a missing uplink is said, and changes of policy cost no look at routes and devices', async () => {
  const w = world();
  w.put(poolV6('Always'));
  const felix = w.start();
  await w.pass(1_000);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /six: .* needs spec.bgp.ipv6Address/);
  const looks = w.dataplaneLooks;
  felix.viewChanged(['NetworkPolicy']);
  await w.pass(1_000);
  assert.equal(w.dataplaneLooks, looks);
  w.put(node('n1', '192.168.80.101/24', { bgp: { ipv6Address: 'fd00:80::101/64' } }));
  felix.viewChanged(['Node']);
  await w.pass(1_000);
  assert.deepEqual(w.reports.at(-1)?.messages, []);
});

test('a node without an IPv6 address takes none for a tunnel, and gives back what it has', async () => {
  const w = world();
  w.put(poolV6('Always'));
  const felix = w.start();
  await w.pass(1_000);
  assert.equal(w.assigned.size, 0);
  const ipv4Address = '192.168.80.101/24';
  const bgp = { ipv4Address, ipv6Address: 'fd00:80::101/64' };
  w.put(node('n1', ipv4Address, { bgp }));
  felix.viewChanged(['Node']);
  await w.pass(1_000);
  const [{ spec } = assert.fail()] = w.list('Node');
  assert.notEqual(spec.ipv6VXLANTunnelAddr, undefined);
  w.put(node('n1', ipv4Address, { ...spec, bgp: { ipv4Address } }));
  felix.viewChanged(['Node']);
  await w.pass(1_000);
  assert.equal(w.assigned.size, 0);
  assert.equal(w.list('Node')[0]?.spec.ipv6VXLANTunnelAddr, undefined);
});

test('a start without the cluster keeps what is there and removes nothing', async () => {
  const w = world({ vxlanMode: 'Always' });
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  const policy = w.policy;
  w.isInSync = false;
  w.kernelLog.length = 0;
  const second = w.start();
  await w.pass(1_000);
  assert.deepEqual(w.kernelLog, []);
  assert.equal(w.policy, policy);
  assert.equal(second.actions.info().workloads, 1);
});

test('what someone else removes comes back and is reported', async () => {
  const w = world({ vxlanMode: 'Always' });
  w.put(node('n2', '192.168.80.102/24', { ipv4VXLANTunnelAddr: '10.244.9.0' }));
  const felix = w.start();
  await w.settle(felix.actions.add(POD));
  await w.pass(1_000);
  const before = [...w.routes.keys(), ...w.neighbours.keys(), ...w.fdb.keys()];
  w.routes.clear();
  w.neighbours.clear();
  w.removeDevice(HOST);
  felix.agent.kernelChanged();
  await w.pass(100);
  assert.deepEqual([...w.routes.keys(), ...w.neighbours.keys(), ...w.fdb.keys()], before);
  assert(w.devices.has(HOST));
  const messages = w.reports.at(-1)?.messages.join('\n') ?? '';
  assert.match(messages, /repaired: device cali918b33f2bbe had been removed/);
  assert.match(messages, /repaired: neighbour 10.244.9.0 dev vxlan.calico/);
});

test('the applied revision follows the view and waits for the packet filter', async () => {
  const w = world();
  const felix = w.start();
  await w.pass(1_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
  w.policyFailure = 'busy';
  const before = w.revision;
  w.put(pool({ natOutgoing: true }));
  felix.viewChanged(['IPPool']);
  await w.pass(1_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, before);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /packet filter up to date: busy/);
  const { reasons, isLimited } = await felix.actions.readiness();
  assert.match(reasons.join(), /^cannot bring the packet filter up to date: busy$/);
  assert.equal(isLimited, true);
  w.policyFailure = undefined;
  await w.pass(5_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
});

test('routes do not wait until connections have been looked at, the applied revision does', async () => {
  const w = world();
  const end = { source: parseAddress('10.0.0.1'), destination: parseAddress('10.0.0.2') };
  const tuple = { ...end, protocol: 6, ports: { source: 1, destination: 2 }, icmp: undefined };
  const entry = { original: tuple, reply: tuple, status: 0, mark: 0, zone: 0, id: 1 };
  w.connections = Array.from({ length: 25_000 }, () => entry);
  w.put(pool({ cidr: '10.245.0.0/16', vxlanMode: 'Always' }, 'overlay'));
  const wanted = w.revision;
  w.start();
  await w.pass(300);
  assert.equal(w.tunnels.size, 1);
  assert.equal(w.reports.at(-1)?.ready, true);
  assert.equal(w.reports.at(-1)?.appliedRevision, 0n);
  await w.pass(2_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, wanted);
});

test('connections that cannot be listed are said, and looked at again', async () => {
  const w = world();
  w.connectionsFailure = 'ENOBUFS';
  w.start();
  await w.pass(1_000);
  assert.equal(w.reports.at(-1)?.appliedRevision, 0n);
  assert.match(w.reports.at(-1)?.messages.join() ?? '', /cannot cut connections: ENOBUFS/);
  w.connectionsFailure = undefined;
  await w.pass(5_000);
  assert.deepEqual(w.reports.at(-1)?.messages, []);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
});

test('staged policies are reported as pending, and never enforced', async () => {
  const w = world();
  const felix = w.start();
  await w.pass(1_000);
  const staged = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'StagedGlobalNetworkPolicy',
    metadata: { name: 'deny' },
    spec: { types: ['Ingress'] },
  };
  w.put(parseResource(staged));
  felix.viewChanged(['StagedGlobalNetworkPolicy']);
  await w.pass(1_000);
  const { messages = [] } = w.reports.at(-1) ?? {};
  assert.deepEqual(messages, ['pending: 1 staged policies, not enforced']);
  assert.deepEqual(w.policy?.globalNetworkPolicies, []);
});

test('what is newly wanted does not wait for the retry of what failed', async () => {
  const w = world();
  const felix = w.start();
  await w.pass(1_000);
  w.policyFailure = 'busy';
  w.put(pool({ natOutgoing: true }));
  felix.viewChanged(['IPPool']);
  await w.pass(100);
  w.policyFailure = undefined;
  w.put(pool({ natOutgoing: false }));
  felix.viewChanged(['IPPool']);
  await w.pass(100);
  assert.equal(w.reports.at(-1)?.appliedRevision, w.revision);
});
