import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IPPool, type Node, parseResource } from '@calico/model';
import { pool } from './sample_world.ts';
import { tunnelSettings } from './tunnel_settings.ts';
import { findUplinks, NO_UPLINKS, underlayMtu, uplinkProblems } from './uplinks.ts';

const UPLINKS = {
  '192.168.80.101': { device: 'eth0', mtu: 1500 },
  'fd00:80::101': { device: 'eth1', mtu: 1400 },
};
const uplinkOf = (address: string) => UPLINKS[address as keyof typeof UPLINKS];

const node = (bgp: object): Node =>
  parseResource({
    apiVersion: 'projectcalico.org/v3',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { bgp },
  }) as Node;

const poolV6 = (mode: object): IPPool => pool({ cidr: 'fd00::/64', ...mode }, 'six') as IPPool;

const V4 = { ipv4Address: '192.168.80.101/24' };
const V6 = { ipv6Address: 'fd00:80::101/64' };

test("findUplinks() finds the device of each IP version; the smaller MTU is the node's", () => {
  const both = findUplinks(node({ ...V4, ...V6 }), uplinkOf);
  assert.deepEqual([both[4]?.device, both[6]?.device], ['eth0', 'eth1']);
  assert.equal(underlayMtu(both), 1400);
  const one = findUplinks(node(V4), uplinkOf);
  assert.deepEqual([one[6], underlayMtu(one)], [undefined, 1500]);
  assert.deepEqual(findUplinks(undefined, uplinkOf), NO_UPLINKS);
  assert.equal(underlayMtu(NO_UPLINKS), undefined);
});

const problems = (own: Node | undefined, ...pools: IPPool[]): string[] =>
  uplinkProblems({
    name: 'n1',
    node: own,
    uplinks: findUplinks(own, uplinkOf),
    pools,
    settings: tunnelSettings({}),
  });

test('uplinkProblems() says which way to other nodes is missing', () => {
  assert.deepEqual(problems(undefined), ['node n1 is not in the store']);
  assert.deepEqual(problems(node({})), [
    'node n1 has neither spec.bgp.ipv4Address nor ipv6Address',
  ]);
  assert.deepEqual(problems(node(V6)), []);
  const elsewhere = node({ ...V4, ipv6Address: 'fd00::9/64' });
  assert.deepEqual(problems(elsewhere, poolV6({})), [
    "no interface has the node's address fd00::9/64",
  ]);
  assert.deepEqual(problems(elsewhere, pool() as IPPool), [], 'nobody needs it');
  assert.deepEqual(problems(node(V4), poolV6({ vxlanMode: 'Never' })), []);
  assert.deepEqual(problems(node(V4), poolV6({ vxlanMode: 'CrossSubnet' })), [
    'pool six: vxlanMode CrossSubnet needs spec.bgp.ipv6Address of node n1, which has none',
  ]);
  assert.deepEqual(problems(node(V6), pool({ ipipMode: 'Always' }) as IPPool), [
    'pool pool: ipipMode Always needs spec.bgp.ipv4Address of node n1, which has none',
  ]);
});

const withMtu = (mtu: number, spec: object = {}): string[] =>
  uplinkProblems({
    name: 'n1',
    node: node(V6),
    uplinks: { 4: undefined, 6: { device: 'eth1', mtu } },
    pools: [poolV6({ vxlanMode: 'Always' })],
    settings: tunnelSettings(spec),
  });

test('uplinkProblems() says when an underlay is too small for IPv6 through VXLAN', () => {
  assert.deepEqual(withMtu(1350), []);
  assert.deepEqual(withMtu(1349), [
    'pool six: vxlanMode Always: underlay MTU 1349 leaves 1279, less than the 1280 that IPv6 needs',
  ]);
  assert.deepEqual(withMtu(1500, { vxlanMTUV6: 1000 }), [
    'pool six: vxlanMode Always: vxlanMTUV6 1000 is less than the 1280 that IPv6 needs',
  ]);
});
