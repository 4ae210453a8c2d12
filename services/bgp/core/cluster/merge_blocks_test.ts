import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPrefix, parsePrefix, prefixContains, subnets } from '@calico/ip';
import type { AnyResource } from '@calico/model';
import * as fc from 'fast-check';
import { affinity, bgpConfiguration, bgpFilter, node, pool } from '../../testing/resources.ts';
import { deriveSpeaker } from './derive_speaker.ts';
import { mergeBlocks } from './merge_blocks.ts';
import { resourcesOf } from './resources.ts';

const NODE = node('a', '192.168.80.100/24');
const POOL = pool('10.244.0.0/16');

function routes(cidrs: readonly string[], others: readonly AnyResource[] = []): string[] {
  const resources = [NODE, POOL, ...others, ...cidrs.map((cidr) => affinity('a', cidr))];
  const { derived } = deriveSpeaker('a', '', resourcesOf(resources));
  return (derived?.speaker.ownRoutes ?? []).map(({ prefix }) => formatPrefix(prefix));
}

const PAIR = ['10.244.0.0/26', '10.244.0.64/26'];

test('blocks side by side are one route, others are not', () => {
  assert.deepEqual(routes(PAIR), ['10.244.0.0/25']);
  assert.deepEqual(routes(['10.244.0.64/26', '10.244.0.128/26']), [
    '10.244.0.64/26',
    '10.244.0.128/26',
  ]);
  assert.deepEqual(routes([...PAIR, '10.244.0.128/26']), ['10.244.0.0/25', '10.244.0.128/26']);
  assert.deepEqual(routes(['10.244.58.192/26']), ['10.244.58.192/26']);
});

test('a block of another node is never covered, nor one that is not confirmed', () => {
  const others = [affinity('b', '10.244.0.64/26'), affinity('a', '10.244.0.128/26', 'pending')];
  assert.deepEqual(routes(['10.244.0.0/26', '10.244.0.192/26'], others), [
    '10.244.0.0/26',
    '10.244.0.192/26',
  ]);
});

test('blocks of two pools, or of none, stay apart', () => {
  const other = pool('10.244.0.64/26');
  assert.deepEqual(routes(PAIR, [other]), PAIR);
  assert.deepEqual(routes(['10.9.0.0/26', '10.9.0.64/26']), ['10.9.0.0/26', '10.9.0.64/26']);
});

test('what a filter or an advertisement can tell apart stays apart, and everything when it is told so', () => {
  const inside = bgpFilter('f', {
    exportV4: [{ action: 'Reject', matchOperator: 'In', cidr: '10.244.0.64/26' }],
  });
  assert.deepEqual(routes(PAIR, [inside]), PAIR);
  const around = bgpFilter('f', {
    exportV4: [{ action: 'Accept', matchOperator: 'In', cidr: '10.244.0.0/16' }],
  });
  assert.deepEqual(routes(PAIR, [around]), ['10.244.0.0/25']);
  const byLength = bgpFilter('f', {
    importV4: [
      {
        action: 'Accept',
        matchOperator: 'In',
        cidr: '10.244.0.0/16',
        prefixLength: { min: 26, max: 26 },
      },
    ],
  });
  assert.deepEqual(routes(PAIR, [byLength]), PAIR);
  const off = bgpConfiguration({ blockAggregation: 'Disabled' });
  assert.deepEqual(routes(PAIR, [off]), PAIR);
});

test('mergeBlocks() covers exactly the addresses of the blocks', () => {
  const all = [...subnets(parsePrefix('10.244.0.0/20'), 26)];
  const known = { ipPools: [POOL], bgpFilters: [], bgpConfigurations: [] };
  const resources = known as unknown as Parameters<typeof mergeBlocks>[1];
  fc.assert(
    fc.property(fc.subarray(all), (own) => {
      const merged = mergeBlocks(own, resources);
      assert.ok(merged.length <= own.length);
      for (const block of all) {
        const covered = merged.filter((prefix) => prefixContains(prefix, block)).length;
        assert.equal(covered, Number(own.includes(block)));
      }
    }),
  );
});
