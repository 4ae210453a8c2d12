import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { assignStep } from './programs/auto_assign.ts';
import { releaseHandle } from './programs/release.ts';
import { utilization } from './programs/utilization.ts';
import { RecordMap } from './record_map.ts';
import { assignRequest } from './sample_requests.ts';
import { INDEXED_PREFIXES, UtilizationIndex } from './utilization_index.ts';

const NOW = 1_790_000_000_000;
const RESOURCES = '/calico/resources/v3/projectcalico.org';

function cluster(): RecordMap {
  const map = new RecordMap();
  const put = (path: string, spec: object): void =>
    map.put(`${RESOURCES}/${path}`, JSON.stringify({ spec }));
  put('ippools/a', { cidr: '10.0.0.0/28', blockSize: 30 });
  put('ippools/b', { cidr: '10.1.0.0/29', blockSize: 29, assignmentMode: 'Manual' });
  put('ipreservations/r', { reservedCIDRs: ['10.0.0.0/31', '10.0.0.6'] });
  put('ipamconfigurations/default', { ipCooldownSeconds: 10 });
  return map;
}

/** What changed between two states, applied to the index. */
function follow(index: UtilizationIndex, seen: Map<string, string>, map: RecordMap): void {
  const now = map.values;
  for (const key of new Set([...seen.keys(), ...now.keys()])) {
    if (!INDEXED_PREFIXES.some((prefix) => key.startsWith(prefix))) continue;
    const value = now.get(key);
    if (value === seen.get(key)) continue;
    index.apply(key, value);
    if (value === undefined) seen.delete(key);
    else seen.set(key, value);
  }
}

test('the index says after every change what a listing says', () => {
  const steps = fc.array(fc.tuple(fc.nat(2), fc.nat(3), fc.nat(5)), { maxLength: 15 });
  fc.assert(
    fc.property(steps, (all) => {
      const map = cluster();
      const index = new UtilizationIndex();
      const seen = new Map<string, string>();
      let now = NOW;
      for (const [kind, node, handle] of all) {
        now += 3000;
        if (kind === 0) map.run(releaseHandle(`h${handle}`, now));
        else map.run(assignStep(assignRequest(`n${node}`, `h${handle}`, kind), now));
        follow(index, seen, map);
        const listed = map.run(utilization([], now));
        assert.deepEqual(
          index.summaries(now).map((summary) => ({ ...summary, borrowed: 0 })),
          listed.map(({ blocks, ...use }) => ({ ...use, blocks: blocks.length, borrowed: 0 })),
        );
      }
    }),
    { numRuns: 100 },
  );
});

test('borrowed addresses are counted, and what cannot be read is passed over', () => {
  const map = cluster();
  for (const node of ['n1', 'n2', 'n3', 'n4']) {
    map.run(assignStep(assignRequest(node, `h-${node}`), NOW));
  }
  map.run(assignStep(assignRequest('n5', 'h-n5'), NOW));
  map.put(`${RESOURCES}/ippools/bad`, '{');
  const index = new UtilizationIndex();
  follow(index, new Map(), map);
  assert.deepEqual(
    index.summaries(NOW).map(({ name, blocks, borrowed }) => [name, blocks, borrowed]),
    [
      ['a', 4, 1],
      ['b', 0, 0],
    ],
  );
  index.clear();
  assert.deepEqual(index.summaries(NOW), []);
});
