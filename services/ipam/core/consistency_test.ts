import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inconsistencies } from './consistency.ts';
import { assignStep } from './programs/auto_assign.ts';
import { RecordMap } from './record_map.ts';
import { assignRequest } from './sample_requests.ts';

const BLOCK = '/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30';
const HANDLE = '/calico/ipam/v2/handle/h';
const AFFINITY = '/calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-30';

function sound(): RecordMap {
  const map = new RecordMap();
  map.put(
    '/calico/resources/v3/projectcalico.org/ippools/p',
    JSON.stringify({ spec: { cidr: '10.0.0.0/30', blockSize: 30 } }),
  );
  map.run(assignStep(assignRequest('n1', 'h'), 1_790_000_000_000));
  return map;
}

test('inconsistencies() finds nothing in what the service wrote', () => {
  assert.deepEqual(inconsistencies(sound().values), []);
});

test('inconsistencies() names each contradiction', () => {
  const cases: [(map: RecordMap) => void, RegExp][] = [
    [(map) => map.delete(HANDLE), /Handle "h" holds addresses: it has no record/],
    [(map) => map.delete(AFFINITY), /of node "n1": no affinity record/],
    [(map) => map.delete(BLOCK), /Handle "h" counts 1 in block 10.0.0.0\/30: it holds 0/],
    [(map) => map.put(HANDLE, '{"block":{}}'), /Handle "h" holds nothing/],
    [(map) => map.put(BLOCK, '{'), /Cannot read block/],
    [(map) => map.put(AFFINITY.replace('n1', 'n2'), ''), /contradicts its block: host:n1/],
    [(map) => map.put(AFFINITY.replace('0-30', '4-30'), ''), /is of no block/],
  ];
  for (const [damage, expected] of cases) {
    const map = sound();
    damage(map);
    assert.match(inconsistencies(map.values).join('; '), expected);
  }
});
