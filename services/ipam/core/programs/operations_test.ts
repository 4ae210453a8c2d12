import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parseAddress, parsePrefix } from '@calico/ip';
import { inconsistencies } from '../consistency.ts';
import { IpamError } from '../ipam_error.ts';
import { RecordMap } from '../record_map.ts';
import { CONFIG_RESOURCE_KEY } from '../records/keys.ts';
import { assignRequest } from '../sample_requests.ts';
import { assignIp } from './assign_ip.ts';
import { assignStep } from './auto_assign.ts';
import { blocksInUse, blocksOfNode, claimBlock, poolForClaim, releaseBlock } from './claim.ts';
import { addressesOfHandle, assignmentOf } from './lookup.ts';
import { locate, releaseFromBlock, releaseHandle } from './release.ts';
import { utilization } from './utilization.ts';

const NOW = 1_790_000_000_000;
const POOL_KEY = '/calico/resources/v3/projectcalico.org/ippools/p';

function records(spec: object = {}): RecordMap {
  const map = new RecordMap();
  map.put(POOL_KEY, JSON.stringify({ spec: { cidr: '10.0.0.0/28', blockSize: 30, ...spec } }));
  return map;
}

function checkRecords(map: RecordMap): void {
  assert.deepEqual(inconsistencies(map.values), []);
}

function ip(map: RecordMap, address: string, handleId: string, node = 'n1') {
  const owner = { handleId, secondary: { pod: handleId } };
  return map.run(assignIp({ address: parseAddress(address), node, owner, use: undefined }, NOW));
}

const release = (address: string, handleId?: string, sequenceNumber?: bigint) => ({
  address: parseAddress(address),
  handleId,
  sequenceNumber,
});

test('assignIp() takes the address with its block, and repeats the answer to the same handle', () => {
  const map = records();
  const answer = { address: '10.0.0.5', block: '10.0.0.4/30', pool: 'p' };
  assert.deepEqual(ip(map, '10.0.0.5', 'h'), answer);
  const { revision } = map;
  assert.deepEqual(ip(map, '10.0.0.5', 'h'), answer);
  assert.equal(map.revision, revision);
  checkRecords(map);
});

test('assignIp() refuses with a reason', () => {
  const map = records();
  ip(map, '10.0.0.5', 'h');
  assert.throws(() => ip(map, '10.0.0.5', 'x'), /"10.0.0.5": it is assigned to "h"/);
  assert.throws(() => ip(map, '10.9.0.5', 'x'), /in no pool; pools: p 10.0.0.0\/28/);
  map.put(CONFIG_RESOURCE_KEY, JSON.stringify({ spec: { strictAffinity: true } }));
  assert.throws(
    () => ip(map, '10.0.0.6', 'x', 'n2'),
    /belongs to host:n1 and strictAffinity is on/,
  );
  map.put(
    POOL_KEY,
    JSON.stringify({ spec: { cidr: '10.0.0.0/28', blockSize: 30, disabled: true } }),
  );
  assert.throws(() => ip(map, '10.0.0.6', 'x'), /pool "p" is disabled/);
  checkRecords(map);
});

test('releaseFromBlock() frees what is described and names the rest', () => {
  const map = records();
  ip(map, '10.0.0.4', 'a');
  ip(map, '10.0.0.5', 'b');
  const sequence = map.run(assignmentOf(parseAddress('10.0.0.5')));
  assert.ok(sequence.isAssigned);
  const cidr = parsePrefix('10.0.0.4/30');
  const refused = map.run(
    releaseFromBlock(
      cidr,
      [
        release('10.0.0.4', 'not a'),
        release('10.0.0.5', 'b', sequence.sequenceNumber + 1n),
        release('10.0.0.6'),
      ],
      NOW,
    ),
  );
  assert.equal(refused.length, 3);
  const done = map.run(
    releaseFromBlock(
      cidr,
      [release('10.0.0.4', 'a'), release('10.0.0.5', 'b', sequence.sequenceNumber)],
      NOW,
    ),
  );
  assert.deepEqual(done, []);
  assert.ok([...map.values.keys()].every((key) => !key.includes('/handle/')));
  checkRecords(map);
});

test('locate() finds blocks also of a pool that is gone', () => {
  const map = records();
  ip(map, '10.0.0.4', 'a');
  map.delete(POOL_KEY);
  const found = map.run(locate([parseAddress('10.0.0.4'), parseAddress('10.0.0.9')]));
  assert.deepEqual([...found.values()].map(formatPrefix), ['10.0.0.4/30']);
});

test('releaseHandle() frees every block of the handle, also those that are gone', () => {
  const map = records();
  ip(map, '10.0.0.4', 'h');
  ip(map, '10.0.0.9', 'h');
  ip(map, '10.0.0.10', 'other');
  map.put(
    '/calico/ipam/v2/handle/orphan',
    '{"block":{"10.0.0.12/30":1,"10.0.0.4/30":2},"deleted":false}',
  );
  const released: string[] = [];
  for (const handle of ['h', 'orphan', 'unknown']) {
    for (let remaining = 1; remaining > 0; ) {
      const step = map.run(releaseHandle(handle, NOW));
      released.push(...step.released);
      remaining = step.remaining;
    }
  }
  assert.deepEqual(released.toSorted(), ['10.0.0.4', '10.0.0.9']);
  assert.deepEqual(map.run(addressesOfHandle('other')).length, 1);
  checkRecords(map);
});

test('claimBlock() and releaseBlock() move a block between nodes', () => {
  const map = records();
  const cidr = parsePrefix('10.0.0.8/30');
  const pool = map.run(poolForClaim(cidr));
  const claim = (node: string) => map.run(claimBlock(cidr, node, pool, NOW));
  assert.equal(claim('n1'), 'claimed');
  assert.equal(claim('n1'), 'claimed');
  assert.equal(claim('n2'), 'taken');
  ip(map, '10.0.0.9', 'h');
  assert.deepEqual(map.run(blocksOfNode('n1', undefined)).map(formatPrefix), ['10.0.0.8/30']);
  assert.equal(map.run(blocksInUse([cidr], 'n1')).length, 1);
  assert.equal(map.run(releaseBlock(cidr, 'n1', true, NOW)), 'in-use');
  assert.equal(map.run(releaseBlock(cidr, 'n1', false, NOW)), 'released');
  assert.equal(map.run(releaseBlock(cidr, 'n1', false, NOW)), 'not-held');
  assert.equal(claim('n2'), 'claimed');
  map.run(releaseHandle('h', NOW));
  assert.equal(map.run(releaseBlock(cidr, 'n2', true, NOW)), 'released');
  assert.deepEqual([...map.values.keys()], [POOL_KEY]);
});

test('an empty block of nobody goes away with its last address', () => {
  const map = records();
  ip(map, '10.0.0.9', 'h');
  map.run(releaseBlock(parsePrefix('10.0.0.8/30'), 'n1', false, NOW));
  map.run(releaseHandle('h', NOW));
  assert.deepEqual([...map.values.keys()], [POOL_KEY]);
});

test('poolForClaim() says what would be accepted', () => {
  const map = records();
  const refused = (cidr: string, message: RegExp) =>
    assert.throws(
      () => map.run(poolForClaim(parsePrefix(cidr))),
      (error) => error instanceof IpamError && message.test(error.message),
    );
  refused('10.0.0.8/31', /expected \/30 or wider/);
  refused('10.0.0.0/24', /in no pool; pools: p 10.0.0.0\/28/);
});

test('utilization() counts use and reservations independently', () => {
  const map = records();
  map.run(assignStep(assignRequest('n1', 'h', 3), NOW));
  const [used] = map.run(addressesOfHandle('h'));
  map.put(
    '/calico/resources/v3/projectcalico.org/ipreservations/r',
    JSON.stringify({ spec: { reservedCIDRs: [used?.address, '10.9.9.9'] } }),
  );
  const [pool] = map.run(utilization([], NOW));
  assert.deepEqual(
    { ...pool, blocks: pool?.blocks.length },
    { name: 'p', cidr: '10.0.0.0/28', capacity: 16n, inUse: 3, reserved: 1n, free: 13n, blocks: 1 },
  );
  assert.equal(pool?.blocks[0]?.free, 1);
  assert.throws(() => map.run(utilization(['q'], NOW)), /pool "q": no pool has this name or CIDR/);
});
