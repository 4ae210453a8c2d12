// Cool-down through the programs, with time injected.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress, parsePrefix } from '@calico/ip';
import { inconsistencies } from '../consistency.ts';
import { RecordMap } from '../record_map.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignIp } from './assign_ip.ts';
import { assignStep } from './auto_assign.ts';
import { releaseBlock } from './claim.ts';
import { assignmentOf } from './lookup.ts';
import { releaseFromBlock, releaseHandle } from './release.ts';
import { utilization } from './utilization.ts';

const NOW = 1_790_000_000_000;
const LATER = NOW + 32_000;
const CIDR = parsePrefix('10.0.0.0/30');
const RESOURCES = '/calico/resources/v3/projectcalico.org';

function records(ipCooldownSeconds = 30): RecordMap {
  const map = new RecordMap();
  map.put(
    `${RESOURCES}/ippools/p`,
    JSON.stringify({ spec: { cidr: '10.0.0.0/30', blockSize: 30 } }),
  );
  map.put(
    `${RESOURCES}/ipamconfigurations/default`,
    JSON.stringify({ spec: { ipCooldownSeconds } }),
  );
  return map;
}

function take(map: RecordMap, handle: string, count: number, now: number): string[] {
  const step = map.run(assignStep(assignRequest('n1', handle, count), now));
  assert.deepEqual(inconsistencies(map.values), []);
  return step.addresses.map(({ address }) => address);
}

test('a pool whose addresses cool down is full until they have, for its own node and others', () => {
  const map = records();
  assert.equal(take(map, 'a', 4, NOW).length, 4);
  map.run(releaseHandle('a', NOW));
  assert.equal([...map.values.keys()].filter((key) => key.includes('/handle/')).length, 0);
  assert.deepEqual(take(map, 'b', 1, NOW + 29_000), []);
  const other = map.run(assignStep(assignRequest('n2', 'c'), NOW + 120_000 - 91_000));
  assert.match(other.obstacles.get(4) ?? '', /No IPs available in pools: \[10\.0\.0\.0\/30\]/);
  assert.deepEqual(take(map, 'b', 1, LATER), ['10.0.0.0']);
});

test('utilisation counts what cools down as in use, and names no owner for it', () => {
  const map = records();
  take(map, 'a', 2, NOW);
  map.run(releaseFromBlock(CIDR, [leaving('10.0.0.0')], NOW));
  const [use] = map.run(utilization([], NOW + 1000));
  assert.deepEqual(
    [use?.inUse, use?.free, use?.blocks[0]?.allocations.map(({ address }) => address)],
    [2, 2n, ['10.0.0.1']],
  );
  const [later] = map.run(utilization([], LATER));
  assert.deepEqual([later?.inUse, later?.free], [1, 3n]);
  assert.equal(map.run(assignmentOf(parseAddress('10.0.0.0'))).isAssigned, false);
});

test('a given address is refused while it cools down, and assigned afterwards', () => {
  const map = records();
  take(map, 'a', 1, NOW);
  map.run(releaseHandle('a', NOW));
  const owner = { handleId: 'b', secondary: {} };
  const request = { address: parseAddress('10.0.0.0'), node: 'n1', owner, use: undefined };
  assert.throws(() => map.run(assignIp(request, NOW)), /cooling down after its release by "a"/);
  assert.equal(map.run(assignIp(request, LATER)).address, '10.0.0.0');
});

test('a block without owner waits for its addresses, and is then for anybody', () => {
  const map = records();
  take(map, 'a', 1, NOW);
  map.run(releaseHandle('a', NOW));
  assert.equal(map.run(releaseBlock(CIDR, 'n1', true, NOW)), 'released');
  const early = map.run(assignStep(assignRequest('n2', 'b', 4), NOW + 1000));
  assert.equal(early.addresses.length, 3, 'borrowed around it');
  map.run(releaseHandle('b', NOW + 1000));
  const late = map.run(assignStep(assignRequest('n2', 'b', 4), NOW + 40_000));
  assert.equal(late.addresses.length, 4);
  assert.match([...map.values.keys()].join(), /host\/n2\/ipv4\/block\/10\.0\.0\.0-30/);
  assert.deepEqual(inconsistencies(map.values), []);
});

test('without a cool-down an address is free at once', () => {
  const map = records(0);
  take(map, 'a', 4, NOW);
  map.run(releaseHandle('a', NOW));
  assert.equal(take(map, 'b', 4, NOW).length, 4);
});

function leaving(address: string) {
  return { address: parseAddress(address), handleId: undefined, sequenceNumber: undefined };
}
