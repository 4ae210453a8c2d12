import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { inconsistencies } from '../consistency.ts';
import { RecordMap } from '../record_map.ts';
import { parseBlock } from '../records/block.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignStep } from './auto_assign.ts';
import { deleteAffinity, recountHandle, releaseLeaked, writeAffinity } from './repair.ts';

const NOW = 1_790_000_000_000;
const RESOURCES = '/calico/resources/v3/projectcalico.org';
const BLOCK = '/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30';
const HANDLE = '/calico/ipam/v2/handle/h';
const AFFINITY = '/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-30';
const CIDR = parsePrefix('10.0.0.0/30');

function sample(timestamp?: string): RecordMap {
  const map = new RecordMap();
  map.put(
    `${RESOURCES}/ippools/p`,
    JSON.stringify({ spec: { cidr: '10.0.0.0/30', blockSize: 30 } }),
  );
  const secondary = {
    node: 'n1',
    pod: 'a',
    namespace: 'default',
    ...(timestamp === undefined ? {} : { timestamp }),
  };
  map.run(assignStep({ ...assignRequest('n1', 'h'), owner: { handleId: 'h', secondary } }, NOW));
  return map;
}

function leakIn(map: RecordMap) {
  const block = parseBlock(BLOCK, map.values.get(BLOCK) ?? '');
  const address = parseAddress('10.0.0.0');
  return { address, handleId: 'h', sequenceNumber: block.sequenceNumbers[0] ?? 0n };
}

function revisionOf(map: RecordMap, key: string): bigint {
  return map.read({ keys: [key] }).get(key)?.modRevision ?? 0n;
}

test('releaseLeaked() releases block and handle together', () => {
  const map = sample();
  assert.equal(map.run(releaseLeaked(leakIn(map), false, NOW)), undefined);
  assert.equal(map.values.has(HANDLE), false);
  assert.deepEqual(inconsistencies(map.values), []);
  assert.equal(map.run(releaseLeaked(leakIn(map), false, NOW)), 'it is not assigned');
});

test('releaseLeaked() leaves what was assigned again, is young or is in use', () => {
  const young = sample(new Date(NOW - 1000).toISOString());
  const leak = leakIn(young);
  assert.match(young.run(releaseLeaked(leak, false, NOW)) ?? '', /less than 120 s ago/);
  assert.equal(
    young.run(releaseLeaked({ ...leak, sequenceNumber: 1n }, true, NOW)),
    'it was assigned again since the report',
  );
  const endpoint = `${RESOURCES}/workloadendpoints/default/n1-k8s-a-eth0`;
  young.put(endpoint, JSON.stringify({ spec: { ipNetworks: ['10.0.0.0/32'] } }));
  assert.match(young.run(releaseLeaked(leak, true, NOW)) ?? '', /in use by workloadendpoints/);
  young.put(endpoint, JSON.stringify({ spec: { ipNetworks: ['10.0.0.3/32'] } }));
  assert.equal(young.run(releaseLeaked(leak, true, NOW)), undefined);
});

test('recountHandle() writes, corrects and deletes, if the record is as reported', () => {
  const map = sample();
  map.put(HANDLE, JSON.stringify({ block: { '10.0.0.0/30': 3, '10.0.0.4/30': 1 } }));
  assert.equal(map.run(recountHandle('h', [], 1n)), 'it changed since the report');
  assert.equal(map.run(recountHandle('h', [], revisionOf(map, HANDLE))), undefined);
  assert.deepEqual(inconsistencies(map.values), []);
  map.delete(HANDLE);
  assert.equal(map.run(recountHandle('h', [CIDR], 0n)), undefined);
  assert.deepEqual(inconsistencies(map.values), []);
  map.put('/calico/ipam/v2/handle/lost', JSON.stringify({ block: { '10.0.0.0/30': 1 } }));
  const revision = revisionOf(map, '/calico/ipam/v2/handle/lost');
  assert.equal(map.run(recountHandle('lost', [], revision)), undefined);
  assert.equal(map.values.has('/calico/ipam/v2/handle/lost'), false);
});

test('affinities are deleted where the block is not the node’s, and written where it is', () => {
  const map = sample();
  const stray = AFFINITY.replace('n1', 'n2');
  map.put(stray, '');
  assert.equal(map.run(deleteAffinity(stray, 1n)), 'it changed since the report');
  assert.equal(map.run(deleteAffinity(stray, revisionOf(map, stray))), undefined);
  const own = revisionOf(map, AFFINITY);
  assert.equal(map.run(deleteAffinity(AFFINITY, own)), 'the block is of this node');
  map.delete(AFFINITY);
  assert.equal(map.run(writeAffinity(CIDR, revisionOf(map, BLOCK))), undefined);
  assert.deepEqual(inconsistencies(map.values), []);
});
