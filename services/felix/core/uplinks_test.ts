import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IPPool, type Node, parseResource } from '@calico/model';
import { pool } from './sample_world.ts';
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
  uplinkProblems('n1', own, findUplinks(own, uplinkOf), pools);

test('uplinkProblems() says which way to other nodes is missing', () => {
  assert.deepEqual(problems(undefined), ['node n1 is not in the store']);
  assert.deepEqual(problems(node({})), ['node n1 has no spec.bgp.ipv4Address']);
  assert.deepEqual(problems(node(V6)), []);
  assert.deepEqual(problems(node({ ...V4, ipv6Address: 'fd00::9/64' })), [
    "no interface has the node's address fd00::9/64",
  ]);
  assert.deepEqual(problems(node(V4), poolV6({ vxlanMode: 'Never' })), []);
  assert.deepEqual(problems(node(V4), poolV6({ vxlanMode: 'CrossSubnet' })), [
    'pool six: vxlanMode CrossSubnet needs spec.bgp.ipv6Address of node n1, which has none',
  ]);
  assert.deepEqual(problems(node(V6), pool({ ipipMode: 'Always' }) as IPPool), [
    'pool pool: ipipMode Always needs spec.bgp.ipv4Address of node n1, which has none',
  ]);
});
