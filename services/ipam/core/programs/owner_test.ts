// Whose addresses are: said by the handle from the transaction on that assigns them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { findingsOf } from '../inspection/findings.ts';
import { Inventory } from '../inspection/inventory.ts';
import { RecordMap, RunningProgram } from '../record_map.ts';
import { ownerOfHandle, parseHandle } from '../records/handle.ts';
import { handleKey, workloadEndpointKey } from '../records/keys.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignIp } from './assign_ip.ts';
import { assignStep } from './auto_assign.ts';
import { adopt, renewLease, warmHandle, warmOwner } from './lease.ts';
import { assignmentOf } from './lookup.ts';
import { releaseHandle } from './release.ts';
import { releaseLeaked } from './repair.ts';

const NOW = 1_790_000_000_000;
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const WORKLOAD = { namespace: 'default', name: 'n1-k8s-pod-eth0', containerId: 'c1' };
const EXPECTED = {
  node: 'n1',
  namespace: 'default',
  endpoint: 'n1-k8s-pod-eth0',
  containerId: 'c1',
  assignedAt: '2026-09-21T14:13:20Z',
};

function records(): RecordMap {
  const map = new RecordMap();
  map.put(`${RESOURCES}/nodes/n1`, '{}');
  const spec = { cidr: '10.0.0.0/24', blockSize: 28 };
  map.put(`${RESOURCES}/ippools/p`, JSON.stringify({ spec }));
  return map;
}

function ownerOf(map: RecordMap, handleId: string) {
  const key = handleKey(handleId);
  return ownerOfHandle(parseHandle(key, handleId, map.values.get(key) ?? ''));
}

/** Answers the address. */
function assign(map: RecordMap): string {
  const request = { ...assignRequest('n1', 'net.c1'), workload: WORKLOAD };
  return map.run(assignStep(request, NOW)).addresses[0]?.address ?? '';
}

const releaseUnused = () => releaseHandle('net.c1', NOW, { isUnused: true });

function problems(map: RecordMap, now: number): string[] {
  const inventory = new Inventory(now);
  for (const [key, value] of map.values) inventory.add({ key, value, modRevision: 1n });
  return findingsOf(inventory).findings.map(({ kind }) => kind);
}

function putEndpoint(map: RecordMap, containerID: string, address: string): void {
  const spec = { node: 'n1', pod: 'pod', containerID, ipNetworks: [`${address}/32`] };
  map.put(workloadEndpointKey(WORKLOAD.namespace, WORKLOAD.name), JSON.stringify({ spec }));
}

test('AutoAssign, AssignIP and the adoption of a lease name the workload in the handle', () => {
  const map = records();
  const before = map.revision;
  assign(map);
  assert.equal(map.revision, before + 1n);
  assert.deepEqual(ownerOf(map, 'net.c1'), EXPECTED);

  const owner = { handleId: 'net.c2', secondary: {} };
  const workload = { ...WORKLOAD, containerId: 'c2' };
  const address = parseAddress('10.0.0.77');
  map.run(assignIp({ address, node: 'n1', owner, workload, use: undefined }, NOW));
  assert.equal(ownerOf(map, 'net.c2')?.containerId, 'c2');

  const warm = assignRequest('n1', warmHandle('n1'));
  map.run(assignStep({ ...warm, owner: warmOwner('n1', NOW) }, NOW));
  const addresses = map
    .run(renewLease('n1', NOW))
    .map((leased) => ({ ...leased, address: parseAddress(leased.address) }));
  const third = { handleId: 'net.c3', secondary: {} };
  const adoption = { node: 'n1', owner: third, workload: { ...WORKLOAD, containerId: 'c3' } };
  map.run(adopt({ ...adoption, addresses }, NOW));
  assert.equal(ownerOf(map, 'net.c3')?.containerId, 'c3');
});

test('an owner stays when its handle gets another address, and goes with the last', () => {
  const map = records();
  assign(map);
  const more = { ...assignRequest('n1', 'net.c1', 2), workload: { ...WORKLOAD, name: 'other' } };
  map.run(assignStep(more, NOW + 5000));
  assert.deepEqual(ownerOf(map, 'net.c1'), EXPECTED);
  map.run(releaseHandle('net.c1', NOW, { owner: WORKLOAD }));
  assert.equal(map.values.has(handleKey('net.c1')), false);
});

test('a workload that is starting is no leak; one whose endpoint never came, or whose node is gone, is', () => {
  const map = records();
  const address = assign(map);
  assert.deepEqual(problems(map, NOW + 60_000), []);
  assert.deepEqual(problems(map, NOW + 601_000), ['leaked-address']);
  putEndpoint(map, 'c1', address);
  assert.deepEqual(problems(map, NOW + 601_000), []);
  const gone = records();
  assign(gone);
  gone.delete(`${RESOURCES}/nodes/n1`);
  assert.deepEqual(problems(gone, NOW), ['leaked-address', 'node-gone']);
});

test('a handle is released as unused unless its endpoint exists when the transaction commits', () => {
  const map = records();
  const address = assign(map);
  const late = new RunningProgram(map, releaseUnused);
  while (!late.isPlanned) late.step();
  putEndpoint(map, 'other', address);
  map.run(releaseUnused());
  assert.equal(map.values.has(handleKey('net.c1')), false);
  assign(map);
  putEndpoint(map, 'c1', address);
  assert.throws(
    () => map.run(releaseUnused()),
    /workload endpoint "default\/n1-k8s-pod-eth0" has its/,
  );
});

test('a repair spares the address of a workload that only its handle names', () => {
  const map = records();
  const text = assign(map);
  putEndpoint(map, 'c1', text);
  const address = parseAddress(text);
  const assignment = map.run(assignmentOf(address));
  assert.ok(assignment.isAssigned);
  const { handleId, sequenceNumber } = assignment;
  const repair = map.run(releaseLeaked({ address, handleId, sequenceNumber }, true, NOW));
  assert.match(repair ?? '', /in use by workloadendpoints\/default\/n1-k8s-pod-eth0/);
});
