// A workload's leaving: record, addresses and handle in one transaction; late assignments fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '@calico/ip';
import { inconsistencies } from '../consistency.ts';
import { RecordMap, RunningProgram } from '../record_map.ts';
import { GIVEN_UP_PREFIX, givenUpKey, handleKey, workloadEndpointKey } from '../records/keys.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignStep } from './auto_assign.ts';
import { adopt, renewLease, warmHandle, warmOwner } from './lease.ts';
import { releaseHandle } from './release.ts';

const NOW = 1_790_000_000_000;
const POOLS = '/calico/resources/v3/projectcalico.org/ippools';
const OWNER = { namespace: 'default', name: 'n1-k8s-pod-eth0', containerId: 'c1' };
const OWNER_KEY = workloadEndpointKey(OWNER.namespace, OWNER.name);

function records(): RecordMap {
  const map = new RecordMap();
  map.put(`${POOLS}/p`, JSON.stringify({ spec: { cidr: '10.0.0.0/24', blockSize: 28 } }));
  map.put(`${POOLS}/q`, JSON.stringify({ spec: { cidr: 'fd00::/112', blockSize: 122 } }));
  return map;
}

function putOwner(map: RecordMap, containerID: string): void {
  map.put(OWNER_KEY, JSON.stringify({ kind: 'WorkloadEndpoint', spec: { containerID } }));
}

function assign(map: RecordMap, handleId: string): void {
  const request = assignRequest('n1', handleId, 1);
  const wanted = { ...request.wanted, 6: { count: 1, pools: [] } };
  map.run(assignStep({ ...request, wanted }, NOW));
}

test('both addresses, the handle and the owner go at one revision, which is answered', () => {
  const map = records();
  assign(map, 'net.c1');
  putOwner(map, 'c1');
  const before = map.revision;
  const done = map.run(releaseHandle('net.c1', NOW, { owner: OWNER }));
  assert.equal(done.released.length, 2);
  assert.deepEqual([done.remaining, done.ownerRevision], [0, before + 1n]);
  assert.equal(map.revision, before + 1n);
  assert.equal(map.values.has(OWNER_KEY), false);
  assert.equal(map.values.has(handleKey('net.c1')), false);
  assert.deepEqual(inconsistencies(map.values), []);
});

test('the record of another container stays; the addresses go', () => {
  const map = records();
  assign(map, 'net.c1');
  putOwner(map, 'c2');
  const done = map.run(releaseHandle('net.c1', NOW, { owner: OWNER }));
  assert.deepEqual([done.released.length, done.ownerRevision], [2, undefined]);
  assert.ok(map.values.has(OWNER_KEY));
});

test('an owner without addresses goes alone; nothing at all is fine', () => {
  const map = records();
  putOwner(map, 'c1');
  const alone = map.run(releaseHandle('net.c1', NOW, { owner: OWNER }));
  assert.deepEqual([alone.released, alone.ownerRevision], [[], map.revision]);
  const before = map.revision;
  const nothing = map.run(releaseHandle('net.c1', NOW, { owner: OWNER }));
  assert.deepEqual([nothing.ownerRevision, map.revision], [undefined, before]);
});

test('a record that changes hands while its owner leaves is spared', () => {
  const map = records();
  assign(map, 'net.c1');
  putOwner(map, 'c1');
  const leaving = new RunningProgram(map, () => releaseHandle('net.c1', NOW, { owner: OWNER }));
  while (!leaving.isPlanned) leaving.step();
  putOwner(map, 'c2');
  while (!leaving.isDone) leaving.step();
  assert.equal(leaving.conflicts, 1);
  assert.ok(map.values.has(OWNER_KEY));
  assert.equal(map.values.has(handleKey('net.c1')), false);
});

test('an assignment that is under way fails after its handle was given up, whatever it read', () => {
  const map = records();
  assign(map, 'net.other'); // the node has a block already
  const request = assignRequest('n1', 'net.c1', 1);
  const late = new RunningProgram(map, () => assignStep(request, NOW));
  while (!late.isPlanned) late.step();
  map.run(releaseHandle('net.c1', NOW, { isFenced: true }));
  late.step();
  assert.equal(late.conflicts, 1);
  assert.equal(map.values.has(handleKey('net.c1')), false);
});

test('an adoption that is under way fails after its handle was given up', () => {
  const map = records();
  const request = assignRequest('n1', warmHandle('n1'), 1);
  map.run(assignStep({ ...request, owner: warmOwner('n1', NOW) }, NOW));
  const owner = { handleId: 'net.c1', secondary: {} };
  const addresses = map
    .run(renewLease('n1', NOW))
    .map((leased) => ({ ...leased, address: parseAddress(leased.address) }));
  const adoption = { node: 'n1', owner, addresses };
  const late = new RunningProgram(map, () => adopt(adoption, NOW));
  while (!late.isPlanned) late.step();
  map.run(releaseHandle('net.c1', NOW, { isFenced: true }));
  late.step();
  assert.equal(late.conflicts, 1);
  assert.equal(map.values.has(handleKey('net.c1')), false);
  map.run(adopt(adoption, NOW));
  assert.equal(map.values.has(givenUpKey('net.c1')), false);
});

test('without the mark it would have taken effect', () => {
  const map = records();
  assign(map, 'net.other');
  const late = new RunningProgram(map, () => assignStep(assignRequest('n1', 'net.c1', 1), NOW));
  while (!late.isPlanned) late.step();
  map.run(releaseHandle('net.c1', NOW));
  late.step();
  assert.ok(map.values.has(handleKey('net.c1')));
});

test('the next assignment of the handle removes the mark; old marks go with new ones', () => {
  const map = records();
  map.run(releaseHandle('net.c1', NOW, { isFenced: true }));
  assert.ok(map.values.has(givenUpKey('net.c1')));
  assign(map, 'net.c1');
  assert.equal(map.values.has(givenUpKey('net.c1')), false);
  map.run(releaseHandle('net.a', NOW - 700_000, { isFenced: true }));
  map.run(releaseHandle('net.b', NOW - 1_000, { isFenced: true }));
  map.run(releaseHandle('net.c', NOW, { isFenced: true }));
  const marks = [...map.values.keys()].filter((key) => key.startsWith(GIVEN_UP_PREFIX));
  assert.deepEqual(marks, [givenUpKey('net.b'), givenUpKey('net.c')]);
});
