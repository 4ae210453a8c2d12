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
    [(map) => map.delete(HANDLE), /Handle "h" holds 1 address\(es\) and has no record/],
    [(map) => map.delete(AFFINITY), /belongs to node "n1", which has no record of it/],
    [(map) => map.delete(BLOCK), /Handle "h" names 10.0.0.0\/30: it holds no address there/],
    [
      (map) => map.put(HANDLE, '{"block":{}}'),
      /Handle "h" counts 0 in block 10.0.0.0\/30: it holds 1/,
    ],
    [(map) => map.put(BLOCK, '{'), /Block 10.0.0.0\/30: is no JSON/],
    [(map) => map.put(AFFINITY.replace('n1', 'n2'), ''), /the block belongs to host:n1/],
    [(map) => map.put(AFFINITY.replace('0-30', '4-30'), ''), /there is no such block/],
  ];
  for (const [damage, expected] of cases) {
    const map = sound();
    damage(map);
    assert.match(inconsistencies(map.values).join('; '), expected);
  }
});
