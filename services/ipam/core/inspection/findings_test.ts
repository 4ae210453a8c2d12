import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@calico/ip';
import { assignStep } from '../programs/auto_assign.ts';
import { RecordMap } from '../record_map.ts';
import { formatBlock, newBlock, parseBlock } from '../records/block.ts';
import { assignRequest } from '../sample_requests.ts';
import { type Findings, findingsOf } from './findings.ts';
import { INVENTORY_PREFIXES, Inventory } from './inventory.ts';

const NOW = 1_790_000_000_000;
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const BLOCK = '/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30';

/** Two nodes, a pool, and two addresses of node n1: of a workload and of a tunnel. */
function sample(): RecordMap {
  const map = new RecordMap();
  map.put(
    `${RESOURCES}/ippools/p`,
    JSON.stringify({ spec: { cidr: '10.0.0.0/28', blockSize: 30 } }),
  );
  map.put(`${RESOURCES}/nodes/n2`, '{}');
  map.run(assignStep(withPod('net.a', 'a'), NOW));
  const [tunnel] = map.run(assignStep(assignRequest('n1', 'vxlan-tunnel-addr-n1'), NOW)).addresses;
  const [pod] = map.run(assignStep(withPod('net.a', 'a'), NOW)).addresses;
  putNode(map, 'n1', tunnel?.address);
  putEndpoint(map, 'a', pod?.address ?? '');
  return map;
}

function withPod(handleId: string, pod: string) {
  const request = assignRequest('n1', handleId);
  const secondary = { node: 'n1', pod, namespace: 'default' };
  return { ...request, owner: { handleId, secondary } };
}

function putNode(map: RecordMap, name: string, ipv4VXLANTunnelAddr = ''): void {
  map.put(`${RESOURCES}/nodes/${name}`, JSON.stringify({ spec: { ipv4VXLANTunnelAddr } }));
}

function putEndpoint(map: RecordMap, pod: string, address: string): void {
  map.put(
    `${RESOURCES}/workloadendpoints/default/n1-k8s-${pod}-eth0`,
    JSON.stringify({ spec: { node: 'n1', pod, ipNetworks: [`${address}/32`] } }),
  );
}

function check(map: RecordMap, now = NOW): Findings {
  const inventory = new Inventory(now);
  for (const [key, value] of map.values) {
    if (INVENTORY_PREFIXES.some((prefix) => key.startsWith(prefix))) {
      inventory.add({ key, value, modRevision: 7n });
    }
  }
  return findingsOf(inventory);
}

function kinds(map: RecordMap, now = NOW): string[] {
  return check(map, now).findings.map(({ kind, subject }) => `${kind} ${subject}`);
}

function firstBlockKey(map: RecordMap): string {
  return [...map.values.keys()].find((key) => key.includes('/assignment/')) ?? '';
}

test('a cluster in order has no findings, and every assignment has its owner', () => {
  const { allocations, findings } = check(sample());
  assert.deepEqual(findings, []);
  assert.deepEqual(
    allocations.map(({ handleId, owners, isInUse, isBorrowed }) => [
      handleId,
      owners,
      isInUse,
      isBorrowed,
    ]),
    [
      ['net.a', ['Workload(default/a)'], true, false],
      ['vxlan-tunnel-addr-n1', ['Node(n1)'], true, false],
    ],
  );
});

test('a workload or a tunnel that is gone leaves a leaked address', () => {
  const map = sample();
  const [pod, tunnel] = check(map).allocations;
  map.delete(`${RESOURCES}/workloadendpoints/default/n1-k8s-a-eth0`);
  putNode(map, 'n1');
  assert.deepEqual(kinds(map), [
    `leaked-address ${pod?.address}`,
    `leaked-address ${tunnel?.address}`,
  ]);
  assert.match(
    check(map).findings[0]?.message ?? '',
    /leaked: assigned to handle "net\.a", node=n1, pod=a, namespace=default/,
  );
});

test('an address in use that nobody assigned is told apart by its pool', () => {
  const map = sample();
  putEndpoint(map, 'b', '10.0.0.15');
  putEndpoint(map, 'c', '172.16.0.1');
  assert.deepEqual(kinds(map), ['not-assigned 10.0.0.15', 'outside-pools 172.16.0.1']);
});

test('two owners of one address', () => {
  const map = sample();
  const address = check(map).allocations[0]?.address ?? '';
  putEndpoint(map, 'thief', address);
  const found = check(map).findings.map(({ message }) => message);
  assert.deepEqual(found, [
    `${address} is used by Workload(default/a) and Workload(default/thief)`,
    `${address} is assigned to default/a (handle "net.a") and used by Workload(default/thief)`,
  ]);
});

test('handles: without addresses, without record, with a wrong count', () => {
  const map = sample();
  const key = firstBlockKey(map);
  const cidr = key.slice(key.lastIndexOf('/') + 1).replace('-', '/');
  map.put('/calico/ipam/v2/handle/lost', JSON.stringify({ block: { [cidr]: 1 } }));
  map.put('/calico/ipam/v2/handle/net.a', JSON.stringify({ block: { [cidr]: 3 } }));
  map.delete('/calico/ipam/v2/handle/vxlan-tunnel-addr-n1');
  assert.deepEqual(kinds(map), [
    'leaked-handle lost',
    'wrong-count net.a',
    'missing-handle vxlan-tunnel-addr-n1',
  ]);
});

test('affinities: of no block, of a block of another, missing, of a node that is gone', () => {
  const map = sample();
  map.put('/calico/ipam/v2/host/n2/ipv4/block/10.0.0.12-30', '{"state":"pending"}');
  map.put(BLOCK, formatBlock(newBlock(parsePrefix('10.0.0.0/30'), 'host:gone', NOW)));
  map.put('/calico/ipam/v2/host/n2/ipv4/block/10.0.0.0-30', '');
  assert.deepEqual(kinds(map), [
    'missing-affinity 10.0.0.0/30',
    'wrong-affinity /calico/ipam/v2/host/n2/ipv4/block/10.0.0.0-30',
    'wrong-affinity /calico/ipam/v2/host/n2/ipv4/block/10.0.0.12-30',
    'node-gone gone',
  ]);
});

test('blocks: in no pool, damaged, unreadable; nothing is concluded from what cannot be read', () => {
  const map = sample();
  const key = firstBlockKey(map);
  map.put(key, (map.values.get(key) ?? '').replace('"unallocated":[', '"unallocated":[0,'));
  map.put(`${RESOURCES}/ippools/p`, JSON.stringify({ spec: { cidr: '10.9.0.0/28' } }));
  map.put('/calico/ipam/v2/handle/bad', '{');
  const cidr = key.slice(key.lastIndexOf('/') + 1).replace('-', '/');
  assert.deepEqual(kinds(map), [
    `invalid-block ${cidr}`,
    `block-outside-pools ${cidr}`,
    'unreadable /calico/ipam/v2/handle/bad',
    `unreadable ${RESOURCES}/ippools/p`,
  ]);
});

test('an address that cools down is neither leaked nor in use; one released in the future is', () => {
  const map = sample();
  const key = firstBlockKey(map);
  const block = parseBlock(key, map.values.get(key) ?? '');
  const released = new Date(NOW - 5000).toISOString();
  const cooling = {
    ...block,
    attributes: block.attributes.map((one) =>
      one.handleId === 'net.a' ? { ...one, releasedAt: released } : one,
    ),
  };
  map.put(key, formatBlock(cooling));
  map.delete(`${RESOURCES}/workloadendpoints/default/n1-k8s-a-eth0`);
  map.delete('/calico/ipam/v2/handle/net.a');
  assert.deepEqual(kinds(map), []);
  assert.match(check(map, NOW - 10_000).findings[0]?.message ?? '', /released in the future/);
});
